// Backups and the way back, step by step, as an administrator goes it.
import { expect } from "./checks.mjs";
import { PASSWORD } from "./people.mjs";
import { PATIENCE_MS, base } from "./world.mjs";

/** Looks again, as whoever waits without scripts does, until the page says so. */
async function until(page, words) {
  const deadline = Date.now() + 2 * PATIENCE_MS;
  for (;;) {
    const said = await page.locator("main").innerText();
    if (words.test(said)) return said;
    expect(Date.now() < deadline, `${page.url()} does not say ${words}: ${said}`);
    await page.reload();
  }
}

export async function backUp(page) {
  await page.goto("/opshub/backups");
  await page.getByRole("button", { name: "Back up now" }).click();
  await page.waitForURL(/\/opshub\/jobs\//);
  await until(page, /"verified": true/);
}

/** Makes a prompt to lose; its address. */
export async function makePrompt(page, title) {
  const reply = await page.request.post("/api/prompts", { data: { title, content: "x" }, headers: { origin: base } });
  expect(reply.status() === 201, `a prompt: ${reply.status()}`);
  return `/api/prompts/${(await reply.json()).slug}`;
}

export async function lose(page, address) {
  const reply = await page.request.delete(address, { headers: { origin: base } });
  expect(reply.ok() && (await page.request.get(address)).status() === 404, "it is not lost");
}

/** From the newest backup to a database that is as it was. */
export async function restore(page) {
  await page.goto("/opshub/backups?state=verified");
  await page.locator("tr.run a.cover").first().click();
  await page.getByRole("link", { name: "Restore it" }).click();
  await page.getByRole("button", { name: "Work out the plan" }).click();
  await page.waitForURL(/\/restore\/./);
  const plan = page.url();
  expect(/prompts/.test(await until(page, /What would change/)), "the plan does not say that prompts come back");
  await confirm(page);
  // A proof of who it is counts for ten minutes.
  if (page.url().includes("/confirm")) {
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await Promise.all([page.waitForURL(plan), page.getByRole("button", { name: "Confirm", exact: true }).click()]);
    await confirm(page);
  }
  expect(page.url() !== plan, "it was not started");
  await until(page, /What was done/);
}

async function confirm(page) {
  await page.getByLabel(/to confirm$/).fill(new URL(base).host);
  await page.getByRole("button", { name: "Restore", exact: true }).click();
  await page.waitForLoadState();
}
