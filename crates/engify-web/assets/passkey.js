// Passkeys: the browser asks the device, the server checks. The one thing here that needs a script.

const said = document.querySelector("#passkey-said");
const say = (text) => { if (said) [said.textContent, said.hidden] = [text, !text]; };

async function post(path, body = {}) {
  const reply = await fetch(`/api/auth/passkeys/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await reply.json();
  if (answer.error === "fresh_factor_required") location = `/confirm?next=${encodeURIComponent(location.pathname)}`;
  if (!reply.ok) throw new Error(answer.message);
  return answer;
}

async function prove({ next }) {
  const { ceremony, publicKey } = await post("signin/start");
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.get({ publicKey: options });
  await post("signin/finish", { ceremony, credential: credential.toJSON() });
  location = next;
}

async function enrol({ next }) {
  const name = document.querySelector("#f-passkey").value;
  const { ceremony, publicKey } = await post("register/start");
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.create({ publicKey: options });
  const { recoveryCodes } = await post("register/finish", { ceremony, name, credential: credential.toJSON() });
  if (!recoveryCodes.length) return void (location = next);
  document.querySelector("#codes").textContent = recoveryCodes.join("\n");
  document.querySelector("#fresh-codes").hidden = false;
  document.querySelector("#fresh-codes").scrollIntoView();
}

const able = typeof PublicKeyCredential === "function" && "parseRequestOptionsFromJSON" in PublicKeyCredential;
for (const button of document.querySelectorAll("[data-passkey]")) {
  button.hidden = !able;
  button.addEventListener("click", async () => {
    say("");
    button.disabled = true;
    try {
      await (button.dataset.passkey === "enrol" ? enrol : prove)(button.dataset);
    } catch (fault) {
      // The person closed the browser's question, or it ran out: nothing to explain at length.
      say(fault.name === "NotAllowedError" ? "No passkey was given. Try again, or use another way." : fault.message);
    }
    button.disabled = false;
  });
}
