// An organization as its administrator runs it in the browser, and the mailbox that stands in for everybody's.
import { expect } from "./checks.mjs";

const HOME = "/settings/organization";

/** Makes an organization and ends on its page of invitations. */
export async function makeOrganization(page, name) {
  await page.goto(HOME);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await Promise.all([
    page.waitForURL((url) => url.pathname === `${HOME}/invitations`),
    page.getByRole("button", { name: "Make the organization" }).click(),
  ]);
}

export async function invite(page, email, role) {
  await page.goto(`${HOME}/invitations`);
  await page.getByLabel("Email", { exact: true }).fill(email);
  await page.getByLabel("Role", { exact: true }).selectOption(role);
  await page.getByRole("button", { name: "Send the invitation" }).click();
  await page.locator("td", { hasText: email }).first().waitFor();
}

/** The path of the link in the newest invitation to an address, read by the super admin as no mail server is set up. */
export async function linkTo(admin, email) {
  const list = await (await admin.request.get("/api/admin/messages?limit=100")).json();
  const letter = list.data.find((message) => message.to === email && message.kind === "invitation");
  expect(letter, `no invitation to ${email} in the outbox`);
  const opened = await (await admin.request.get(`/api/admin/messages/${letter.id}`)).json();
  const found = JSON.stringify(opened).match(/\/invitations\/[0-9a-f]{64}/);
  expect(found, "the letter holds no link");
  return found[0];
}

/** Follows an invitation with a new account. */
export async function joinAsNew(page, path, person) {
  await page.goto(path);
  await page.getByLabel("Name", { exact: true }).fill(person.name);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await Promise.all([
    page.waitForURL((url) => url.pathname === HOME),
    page.getByRole("button", { name: "Make an account and join" }).click(),
  ]);
}

/** Writes a prompt that the organization sees; returns its path. */
export async function sharePrompt(page, title) {
  await page.goto("/prompts/new");
  await page.getByLabel("Title", { exact: true }).fill(title);
  await page.getByLabel("Prompt", { exact: true }).fill("Say hello to the team.");
  await page.getByLabel("Who sees it", { exact: true }).selectOption("organization");
  await Promise.all([
    page.waitForURL((url) => /^\/prompts\/(?!new)[^/]+$/.test(url.pathname)),
    page.getByRole("button", { name: "Create the prompt" }).click(),
  ]);
  return new URL(page.url()).pathname;
}

/** The row of a member. */
const row = (page, email) => page.locator("tbody tr", { hasText: email });

export async function changeRole(page, email, role) {
  await page.goto(HOME);
  await row(page, email).getByRole("combobox").selectOption(role);
  await row(page, email).getByRole("button", { name: "Change" }).click();
  await page.getByRole("status").filter({ hasText: "The role is changed" }).waitFor();
}

export async function remove(page, email) {
  await page.goto(HOME);
  await row(page, email).getByRole("button", { name: "Remove", exact: true }).click();
  await page.locator("dialog:popover-open").getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Removed" }).waitFor();
  expect((await row(page, email).count()) === 0, `${email} is still a member`);
}
