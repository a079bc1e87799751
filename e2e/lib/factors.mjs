// Second factors in a real browser: a virtual authenticator for passkeys, and codes computed as an app computes them.
import { createHmac } from "node:crypto";

/** Gives the page's browser a device that holds passkeys and says yes to everything. */
export async function authenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  await session.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

/** The code of a base32 secret, `later` steps of 30 seconds from now (RFC 6238). */
export function totp(secret, later = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/\s/g, "")].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Enrols an authenticator app through the pages; answers with its secret and the recovery codes. */
export async function enrolApp(page) {
  await page.goto("/settings/security");
  await page.getByRole("button", { name: "Set up an app" }).click();
  const secret = (await page.locator("code#secret").innerText()).trim();
  await page.getByLabel("Code", { exact: true }).fill(totp(secret));
  await page.getByRole("button", { name: "Turn it on" }).click();
  const codes = (await page.locator("code#codes").innerText()).trim().split(/\s+/);
  return { secret, codes };
}

/** Enrols a passkey through the page, which shows recovery codes where there were none. */
export async function enrolPasskey(page, name) {
  await page.goto("/settings/security");
  await page.getByLabel("Name of the new passkey", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.locator("code#codes", { hasText: /-/ }).waitFor();
  await page.goto("/settings/security");
  await page.getByLabel(`Name of ${name}`, { exact: true }).waitFor();
}

/** The first step: address and password. Stops at the second. */
export async function firstStep(page, person) {
  await page.goto("/login");
  await page.getByLabel("Email", { exact: true }).fill(person.email);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await Promise.all([
    page.waitForURL((url) => url.pathname === "/login/factor"),
    page.getByRole("button", { name: "Sign in", exact: true }).click(),
  ]);
}
