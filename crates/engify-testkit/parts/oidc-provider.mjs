#!/usr/bin/env node
// A certified OpenID Connect issuer on loopback: oidc-provider.mjs PORT CALLBACK PEOPLE
// PEOPLE is a file of JSON that is read again for every question: { "ana": { "email": …, "email_verified": …, "groups": […] } }.
// Its own sign-in page takes any password for them.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [port, callback, people] = process.argv.slice(2);
// The package lies among the parts, not beside this file, and ES modules have no search path.
const require = createRequire(path.join(process.env.ENGIFY_PARTS, "node", "package.json"));
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "engify", client_secret: "oidc-client-secret", redirect_uris: [callback] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  jwks: { keys: [{ ...key, alg: "RS256", use: "sig", kid: "first" }] },
  findAccount(_, id) {
    const claims = JSON.parse(readFileSync(people, "utf8"))[id];
    return claims && { accountId: id, claims: () => ({ sub: id, ...claims }) };
  },
});
provider.listen(Number(port), "127.0.0.1");
