// The browser tests: `cargo xtask e2e [NAME…]`. One named check per promise; the steps and the pages live in lib/.
import * as backups from "./lib/backups.mjs";
import { Checks, expect } from "./lib/checks.mjs";
import * as factors from "./lib/factors.mjs";
import * as job from "./lib/job.mjs";
import { allPages } from "./lib/pages.mjs";
import { People, signIn, signUp, stranger } from "./lib/people.mjs";
import * as team from "./lib/team.mjs";
import { AxeBuilder, base, launch } from "./lib/world.mjs";

const SEARCH = "code review";
/** Bytes over the wire on a first visit, everything included. */
const MAX_WEIGHT = 100_000;
/** A tenth of what is called good elsewhere: nothing may jump. */
const MAX_SHIFT = 0.02;

const browser = await launch();
const checks = new Checks();
const people = new People(browser);

for (const javaScript of [true, false]) {
  const how = javaScript ? "with JavaScript" : "without JavaScript";
  checks.add(`main job ${how}`, async (open) => {
    const { page, troubles } = await open({ javaScript });
    const person = stranger();
    await signUp(page, person);
    const path = await job.findPrompt(page, SEARCH, { javaScript });
    const title = await page.locator("h1").first().innerText();
    const variables = await job.fillVariables(page);
    const model = await job.chooseModel(page);
    await job.run(page, { javaScript });
    await job.findInHistory(page, title);
    const key = await job.createKey(page);
    await job.runWithKey(key, { promptSlug: path.split("/").pop(), variables, model });
    expect(troubles.length === 0, troubles.join("; "));
  });
}

checks.add("sign-in, and a wrong password is told so", async (open) => {
  const person = stranger();
  const { page: first } = await open();
  await signUp(first, person);
  const { page } = await open();
  await page.goto("/login");
  await page.getByLabel("Email", { exact: true }).fill(person.email);
  await page.getByLabel("Password", { exact: true }).fill("not the password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.locator("[role=alert]").first().waitFor();
  await signIn(page, person);
  expect((await (await page.request.get("/api/auth/session")).json()).user.email === person.email, "not signed in");
});

for (const javaScript of [true, false]) {
  const how = javaScript ? "with JavaScript" : "without JavaScript";
  checks.add(`an organization run by its admin alone ${how}`, async (open) => {
    const { page: outbox } = await open({ state: await people.state("admin") });
    const { page: admin } = await open({ javaScript });
    const { page: member } = await open({ javaScript });
    const [owner, friend] = [stranger(), stranger()];
    await signUp(admin, owner);
    await team.makeOrganization(admin, `Team of ${owner.email}`);
    await team.invite(admin, friend.email, "org_member");
    await team.joinAsNew(member, await team.linkTo(outbox, friend.email), friend);
    const path = await team.sharePrompt(admin, `Team prompt ${owner.email}`);
    const seen = async () => (await member.goto(path)).status();
    expect((await seen()) === 200, "a member does not see what is shared");
    await member.goto("/prompts?visibility=organization");
    expect((await member.locator("a.hit").count()) === 1, "the library's filter does not show exactly what is shared");
    await team.changeRole(admin, friend.email, "org_manager");
    expect((await seen()) === 404, "a changed role did not end the session");
    await signIn(member, friend);
    expect((await member.goto(`${path}/edit`)).status() === 200, "a manager may not change what is shared");
    await team.remove(admin, friend.email);
    await signIn(member, friend);
    expect((await seen()) === 404, "who was removed still sees what is shared");
  });

  checks.add(`single sign-on ${javaScript ? "with" : "without"} JavaScript`, async (open) => {
    const { page } = await open({ javaScript });
    await page.goto("/login?next=/history");
    await page.getByRole("link", { name: "Continue with Acme" }).click();
    // The issuer's own pages: any password will do, and consent is asked for.
    await page.getByPlaceholder("Enter any login").fill("sso");
    await page.getByPlaceholder("and password").fill("any");
    await page.getByRole("button", { name: "Sign-in" }).click();
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL((url) => url.origin === base && url.pathname === "/history");
    const { user } = await (await page.request.get("/api/auth/session")).json();
    expect(user.email === "sso@example.com" && user.name === "Sam Sign-On", `signed in as ${JSON.stringify(user)}`);
  });
}

const whoIsIn = async (page) => (await (await page.request.get("/api/auth/session")).json()).user?.email;
const inside = (page) => page.waitForURL((url) => !url.pathname.startsWith("/login"));

for (const javaScript of [true, false]) {
  const how = javaScript ? "with JavaScript" : "without JavaScript";
  checks.add(`second factor: an authenticator app ${how}`, async (open) => {
    const person = stranger();
    const { page, troubles } = await open({ javaScript });
    await signUp(page, person);
    const { secret, codes } = await factors.enrolApp(page);
    expect(codes.length === 10, `${codes.length} recovery codes`);
    const { page: other } = await open({ javaScript });
    await factors.firstStep(other, person);
    expect((await whoIsIn(other)) === undefined, "half-way in is in");
    // The code of this moment is used up by the enrolment.
    await other.getByLabel("Code", { exact: true }).fill(factors.totp(secret, 1));
    await Promise.all([inside(other), other.getByRole("button", { name: "Sign in", exact: true }).click()]);
    expect((await whoIsIn(other)) === person.email, "the code did not sign in");
    const { page: third } = await open({ javaScript });
    await factors.firstStep(third, person);
    await third.getByRole("link", { name: "Use a recovery code" }).click();
    await third.getByLabel("Recovery code", { exact: true }).fill(codes[0]);
    await Promise.all([inside(third), third.getByRole("button", { name: "Sign in", exact: true }).click()]);
    expect((await whoIsIn(third)) === person.email, "the recovery code did not sign in");
    expect(troubles.length === 0, troubles.join("; "));
  });
}

for (const javaScript of [true, false]) {
  const how = javaScript ? "with JavaScript" : "without JavaScript";
  checks.add(`an API key is limited, rotated and revoked on its pages ${how}`, async (open) => {
    const { page, troubles } = await open({ javaScript });
    await signUp(page, stranger());
    const first = await job.createKey(page);
    const asks = async (key) =>
      (await fetch(`${base}/api/v2/ai/runs`, { headers: { authorization: `Bearer ${key}` } })).status;
    await page.getByRole("link", { name: "browser test" }).click();
    await page.getByLabel("May come from", { exact: true }).fill("203.0.113.7/24");
    await page.getByRole("button", { name: "Save the terms" }).click();
    await page.getByText("write the block as 203.0.113.0/24").first().waitFor();
    await page.getByLabel("May come from", { exact: true }).fill("203.0.113.0/24");
    await page.getByRole("button", { name: "Save the terms" }).click();
    await page.waitForURL((url) => url.searchParams.has("done"));
    expect((await asks(first)) === 403, "the key opens from an address that it may not come from");
    await page.getByLabel("May come from", { exact: true }).fill("");
    await Promise.all([
      page.waitForResponse((reply) => reply.request().method() === "POST" && reply.status() === 303),
      page.getByRole("button", { name: "Save the terms" }).click(),
    ]);
    await page.waitForLoadState("networkidle");
    const { violations } = javaScript ? await new AxeBuilder({ page }).analyze() : { violations: [] };
    expect(violations.length === 0, violations.map(({ id }) => id).join(", "));
    const second = await job.rotateKey(page);
    expect((await asks(first)) === 200 && (await asks(second)) === 200, "old and new do not both open");
    await job.revokeKeys(page);
    expect((await asks(first)) === 401 && (await asks(second)) === 401, "a revoked key opens something");
    const real = troubles.filter((trouble) => !trouble.includes("status of 400"));
    expect(real.length === 0, real.join("; "));
  });
}

checks.add("passkey: enrolled, without a password, as the second step, and to confirm", async (open) => {
  const person = stranger();
  const { page, troubles } = await open();
  await factors.authenticator(page);
  await signUp(page, person);
  await factors.enrolPasskey(page, "Virtual device");
  await page.context().clearCookies();
  await page.goto("/login");
  await Promise.all([inside(page), page.getByRole("button", { name: "Sign in with a passkey" }).click()]);
  expect((await whoIsIn(page)) === person.email, "the passkey alone did not sign in");
  await page.context().clearCookies();
  await factors.firstStep(page, person);
  await Promise.all([inside(page), page.getByRole("button", { name: "Use a passkey" }).click()]);
  expect((await whoIsIn(page)) === person.email, "the passkey as second step did not sign in");
  await page.goto("/confirm?next=/settings/security");
  await Promise.all([
    page.waitForURL((url) => url.pathname === "/settings/security"),
    page.getByRole("button", { name: "Use a passkey" }).click(),
  ]);
  expect(troubles.length === 0, troubles.join("; "));
});

checks.add("search with the keyboard alone", async (open) => {
  const { page } = await open();
  await page.goto("/prompts");
  await page.keyboard.press("/");
  expect(await page.evaluate(() => document.activeElement.id === "q"), "`/` does not focus the search");
  await page.keyboard.type(SEARCH);
  await page.waitForURL((url) => url.searchParams.get("q") === SEARCH);
  await page.locator("a.hit").first().waitFor();
  await page.keyboard.press("ArrowDown");
  expect(await page.evaluate(() => document.activeElement.matches("a.hit")), "arrow down reaches no hit");
  const target = await page.evaluate(() => document.activeElement.getAttribute("href"));
  await Promise.all([page.waitForURL((url) => url.pathname === new URL(target, base).pathname), page.keyboard.press("Enter")]);
});

checks.add("Escape closes a question and leaves the search", async (open) => {
  const { page } = await open({ state: await people.state("user") });
  const key = await job.createKey(page);
  const opener = page.locator("button[popovertarget]:visible").first();
  await opener.click();
  const question = page.locator("dialog:popover-open");
  await question.waitFor();
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });
  expect(await opener.evaluate((node) => node === document.activeElement), "focus does not return to the button");
  const { status } = await fetch(`${base}/api/v2/users/api-keys`, { headers: { authorization: `Bearer ${key}` } });
  expect(status !== 401, "Escape revoked the key");
  await page.goto("/prompts");
  await page.keyboard.press("/");
  await page.keyboard.press("Escape");
  expect(await page.evaluate(() => document.activeElement.id !== "q"), "Escape stays in the search");
});

for (const javaScript of [true, false]) {
  checks.add(`a backup and the way back ${javaScript ? "with" : "without"} JavaScript`, async (open) => {
    const { page, troubles } = await open({ javaScript, state: await people.state("admin") });
    const prompt = await backups.makePrompt(page, `To be lost ${javaScript}`);
    await backups.backUp(page);
    await backups.lose(page, prompt);
    await backups.restore(page);
    expect((await page.request.get(prompt)).status() === 200, "what was lost did not come back");
    expect(troubles.length === 0, troubles.join("; "));
  });
}

checks.add("the copy button copies", async (open) => {
  const { page } = await open({ grant: ["clipboard-read", "clipboard-write"] });
  const { path } = (await allPages()).find(({ name }) => name === "prompt");
  await page.goto(path);
  await page.locator("[data-copy]:visible").first().click();
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).length > 40);
});

for (const page of await allPages()) addPageChecks(page);

function addPageChecks({ name, path, who, status = 200 }) {
  const visit = async (open, options) => {
    const one = await open({ ...options, state: await people.state(who) });
    const reply = await one.page.goto(path, { waitUntil: "networkidle" });
    expect(reply.status() === status, `${path} answered ${reply.status()}`);
    return one;
  };

  checks.add(`${name}: no errors, nothing from elsewhere`, async (open) => {
    const { troubles } = await visit(open, {});
    // The browser itself remarks on a page that is a 404 on purpose.
    const real = troubles.filter((trouble) => status === 200 || !trouble.includes(`status of ${status}`));
    expect(real.length === 0, real.join("; "));
  });

  for (const theme of ["light", "dark"]) {
    checks.add(`${name}: accessible in ${theme}`, async (open) => {
      const { page } = await visit(open, { theme });
      const { violations } = await new AxeBuilder({ page }).analyze();
      const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(
        grave.length === 0,
        grave.map(({ id, nodes }) => `${id} at ${nodes.map(({ target }) => target.join(" ")).join(", ")}`).join("; "),
      );
    });
  }

  checks.add(`${name}: fits 390 px`, async (open) => {
    const { page } = await visit(open, { width: 390 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide <= 390, `the page is ${wide} px wide`);
  });

  if (!["home", "library", "prompt", "login"].includes(name)) return;

  checks.add(`${name}: nothing jumps`, async (open) => {
    const one = await open({});
    await one.page.addInitScript(() => {
      window.shifted = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await one.page.goto(path, { waitUntil: "networkidle" });
    const shifted = await one.page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(window.shifted)))),
    );
    expect(shifted < MAX_SHIFT, `layout shift of ${shifted.toFixed(3)}`);
  });

  checks.add(`${name}: light on the wire`, async (open) => {
    const { context, page } = await open({});
    const session = await context.newCDPSession(page);
    let weight = 0;
    session.on("Network.loadingFinished", ({ encodedDataLength }) => (weight += encodedDataLength));
    await session.send("Network.enable");
    await page.goto(path, { waitUntil: "networkidle" });
    expect(weight > 0 && weight < MAX_WEIGHT, `${Math.round(weight / 1000)} kB on a first visit`);
  });
}

const failed = await checks.run(browser, process.argv.slice(2));
await browser.close();
process.exit(failed === 0 ? 0 : 1);
