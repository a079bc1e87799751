// Accounts: a user who signed up and the super admin of the set-up link, each made once and remembered by cookies.
import { makeOrganization } from "./team.mjs";
import { need, visitor } from "./world.mjs";

export const PASSWORD = "correct horse battery staple 7";
let count = 0;

/** Someone who has no account yet. */
export function stranger() {
  count += 1;
  return { name: `Ana Test ${count}`, email: `ana.${process.pid}.${count}@example.com`, password: PASSWORD };
}

export async function signUp(page, person) {
  await page.goto("/signup");
  await page.getByLabel("Name", { exact: true }).fill(person.name);
  await page.getByLabel("Email", { exact: true }).fill(person.email);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await Promise.all([
    page.waitForURL((url) => url.pathname !== "/signup"),
    page.getByRole("button", { name: "Create account" }).click(),
  ]);
}

export async function signIn(page, person) {
  await page.goto("/login");
  await page.getByLabel("Email", { exact: true }).fill(person.email);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await Promise.all([
    page.waitForURL((url) => url.pathname !== "/login"),
    page.getByRole("button", { name: "Sign in", exact: true }).click(),
  ]);
}

/** The set-up link works once: it makes the super admin and signs in. */
async function setUp(page) {
  await page.goto(need("ENGIFY_SETUP_URL"));
  const admin = { ...stranger(), name: "Root Test" };
  await page.getByLabel("Name", { exact: true }).fill(admin.name);
  await page.getByLabel("Email", { exact: true }).fill(admin.email);
  await page.getByLabel("Password", { exact: true }).fill(admin.password);
  await Promise.all([
    page.waitForURL((url) => url.pathname !== "/setup"),
    page.locator("main form button[type=submit], main form button:not([type])").first().click(),
  ]);
}

/** Someone who makes an organization. */
async function found(page) {
  await signUp(page, stranger());
  await makeOrganization(page, "The Example Company");
}

/** The cookies of someone: `nobody`, `user`, `owner` (of an organization) or `admin`. */
export class People {
  #browser;
  #states = new Map();

  constructor(browser) {
    this.#browser = browser;
  }

  state(who) {
    if (who === "nobody") return undefined;
    if (!this.#states.has(who)) this.#states.set(who, this.#make(who));
    return this.#states.get(who);
  }

  async #make(who) {
    const { context, page } = await visitor(this.#browser);
    try {
      const ways = { admin: setUp, owner: found, user: (page) => signUp(page, stranger()) };
      await ways[who](page);
      return await context.storageState();
    } finally {
      await context.close();
    }
  }
}
