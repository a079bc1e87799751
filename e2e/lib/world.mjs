// Where the server, the browser and the tools are, and how a visitor is made. Knows nothing of any page.
import { createRequire } from "node:module";
import path from "node:path";

export const base = need("ENGIFY_URL");
export const out = need("ENGIFY_E2E_OUT");

// The tools live among the parts, not beside this file, and ES modules have no search path.
const require = createRequire(path.join(need("ENGIFY_PARTS"), "node", "package.json"));
const { chromium } = require("playwright-core");
export const { AxeBuilder } = require("@axe-core/playwright");
export const part = (name) => require.resolve(name);

/** How long anything on a page may take. */
export const PATIENCE_MS = 15_000;

export function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through \`cargo xtask e2e\``);
  return value;
}

export function launch() {
  return chromium.launch({ executablePath: need("CHROME_PATH"), args: browserFlags });
}

// Root needs --no-sandbox; the rest keeps the browser from calling its maker.
export const browserFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let visitors = 0;

/** Someone with a window and an address of their own, and a list of everything that went wrong in it. */
export async function visitor(browser, { theme = "light", width = 1440, javaScript = true, state, grant = [] } = {}) {
  visitors += 1;
  const context = await browser.newContext({
    baseURL: base,
    // As the proxy in front would say it.
    extraHTTPHeaders: { "x-forwarded-for": `198.51.${100 + Math.floor(visitors / 250)}.${1 + (visitors % 250)}` },
    colorScheme: theme,
    viewport: { width, height: width < 800 ? 844 : 900 },
    javaScriptEnabled: javaScript,
    storageState: state,
    permissions: grant,
    // A wrong address must not look like a slow one.
    serviceWorkers: "block",
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const troubles = [];
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (/^https?:$/.test(url.protocol) && url.origin !== base) troubles.push(`asks another host: ${request.url()}`);
  });
  context.on("console", (message) => {
    if (message.type() === "error") troubles.push(`console: ${message.text()}`);
  });
  context.on("weberror", (error) => troubles.push(`uncaught: ${error.error().message}`));
  const page = await context.newPage();
  return { context, page, troubles };
}
