// The main job, step by step, in the words of someone who does it: find a prompt, fill it, run it, keep the key.
import { expect } from "./checks.mjs";
import { base } from "./world.mjs";

/** What the stand-in for the AI providers always ends with; see fixtures/any.json. */
const LAST_WORDS = "the end of the answer";

/** Searches and opens the first hit; returns its address. */
export async function findPrompt(page, words, { javaScript }) {
  await page.goto("/prompts");
  const field = page.locator("input#q[name=q]");
  await field.fill(words);
  if (javaScript) await page.waitForURL((url) => url.searchParams.get("q") === words);
  else await Promise.all([page.waitForURL((url) => url.searchParams.has("q")), field.press("Enter")]);
  const hits = page.locator("a.hit");
  await hits.first().waitFor();
  await Promise.all([page.waitForURL((url) => /^\/prompts\/[^/]+$/.test(url.pathname)), hits.first().click()]);
  expect(await page.locator("h1").first().innerText(), "the prompt page has no heading");
  return new URL(page.url()).pathname;
}

/** Fills every variable and returns what was filled in, by name. */
export async function fillVariables(page) {
  const filled = {};
  for (const field of await page.locator('form#run [name^="var."]').all()) {
    const [name, kind] = await field.evaluate((node) => [node.name.slice(4), node.type]);
    if (kind === "select-one") {
      filled[name] = await field.evaluate((node) => [...node.options].find((option) => option.value)?.value ?? "");
      await field.selectOption(filled[name]);
    } else {
      filled[name] = kind === "number" ? "3" : `A careful word about ${name.replaceAll("_", " ")}`;
      await field.fill(filled[name]);
    }
  }
  return filled;
}

/** Chooses a model of OpenAI's and returns its name. */
export async function chooseModel(page) {
  const select = page.locator('form#run select[name="provider-model"]');
  const value = await select.evaluate(
    (node) => [...node.options].map((option) => option.value).find((each) => /^openai\b.*gpt/i.test(each)) ?? "",
  );
  expect(value, "the run form offers no model of openai");
  await select.selectOption(value);
  return value.replace(/^openai[:/|]/, "");
}

export async function run(page, { javaScript }) {
  const button = page.locator("form#run").getByRole("button", { name: /^Run/ }).first();
  if (javaScript) await watchAnswer(page);
  await button.click();
  const answer = page.locator("#answer");
  await answer.filter({ hasText: LAST_WORDS }).waitFor();
  if (javaScript) {
    const sizes = await page.evaluate(() => window.answerSizes);
    expect(sizes.length >= 4, `the answer did not stream: it changed ${sizes.length} times`);
    expect(sizes.every((size, at) => at === 0 || size >= sizes[at - 1]), "the answer shrank while it streamed");
  }
  const meter = page.locator("#meter");
  await meter.filter({ hasText: /\$\s?\d/ }).waitFor();
  expect(/\b107\b|\b42\b|\b65\b/.test(await meter.innerText()), `the meter shows no tokens: ${await meter.innerText()}`);
}

/** Remembers each size that the answer had on its way. */
function watchAnswer(page) {
  return page.evaluate(() => {
    window.answerSizes = [];
    const look = () => {
      const size = document.querySelector("#answer")?.textContent.length ?? 0;
      if (size > 0 && size !== window.answerSizes.at(-1)) window.answerSizes.push(size);
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
  });
}

export async function findInHistory(page, title) {
  await page.goto("/history");
  const newest = page.locator("tr.run").first();
  await newest.waitFor();
  const text = await newest.innerText();
  expect(text.includes(title), `the newest run in the history is another one: ${text}`);
}

export async function createKey(page) {
  await page.goto("/settings/keys");
  await page.getByLabel("Name", { exact: true }).fill("browser test");
  await page.getByRole("button", { name: "Create key" }).click();
  const key = (await page.locator("code#new-key").innerText()).trim();
  expect(key.length >= 20, `this is no key: ${key}`);
  await page.goto("/settings/keys");
  expect(!(await page.content()).includes(key), "the key is shown a second time");
  return key;
}

/** Opens a question of the keys' table and says yes to it. */
async function answer(page, question, button) {
  await page.getByRole("button", { name: question, exact: true }).first().click();
  await page.getByRole("button", { name: button, exact: true }).filter({ visible: true }).click();
}

/** Rotates the only key; answers with its successor. */
export async function rotateKey(page) {
  await page.goto("/settings/keys");
  await answer(page, "Rotate", "Rotate the key");
  return (await page.locator("code#new-key").innerText()).trim();
}

/** Revokes every key that lives. */
export async function revokeKeys(page) {
  await page.goto("/settings/keys");
  while ((await page.getByRole("button", { name: "Revoke", exact: true }).count()) > 0) {
    await answer(page, "Revoke", "Revoke the key");
    await page.waitForURL((url) => url.pathname === "/settings/keys" && url.searchParams.has("done"));
    await page.goto("/settings/keys");
  }
}

/** The same run as on the page, with nothing but the key. */
export async function runWithKey(key, { promptSlug, variables, model }) {
  const reply = await fetch(`${base}/api/v2/ai/execute`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ promptSlug, variables, provider: "openai", model }),
  });
  const body = await reply.json();
  expect(reply.ok, `the run with the key answered ${reply.status}: ${JSON.stringify(body)}`);
  expect(body.success === true && body.response.includes(LAST_WORDS), `not the answer: ${JSON.stringify(body)}`);
  expect(body.usage.totalTokens === 107, `not the provider's own token count: ${JSON.stringify(body.usage)}`);
  expect(body.cost.total > 0, `no cost: ${JSON.stringify(body.cost)}`);
}
