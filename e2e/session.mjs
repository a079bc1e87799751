// Signs up through the API and prints the session's cookie: who the scan is when it is signed in.
const person = { name: "Sam Scan", email: "sam@example.com", password: "correct horse battery staple 7" };
const reply = await fetch(`${process.env.ENGIFY_URL}/api/auth/signup`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(person),
});
if (reply.status !== 201) throw new Error(`sign-up answered ${reply.status}: ${await reply.text()}`);
console.log(reply.headers.getSetCookie().map((each) => each.split(";")[0]).join("; "));
