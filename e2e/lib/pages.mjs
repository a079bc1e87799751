// Every page there is and who sees it. A new page is one line here.
import { need } from "./world.mjs";

/** Pages with fixed addresses. `status` is the reply when it is not 200. */
const FIXED = [
  { name: "home", path: "/", who: "nobody" },
  { name: "library", path: "/prompts", who: "nobody" },
  { name: "library-empty", path: "/prompts?q=zzzxqy", who: "nobody" },
  { name: "patterns", path: "/patterns", who: "nobody" },
  { name: "login", path: "/login", who: "nobody" },
  { name: "signup", path: "/signup", who: "nobody" },
  { name: "forgot-password", path: "/forgot-password", who: "nobody" },
  { name: "link-spent", path: "/reset-password?token=used", who: "nobody", status: 400 },
  { name: "status", path: "/status", who: "nobody" },
  { name: "api-docs", path: "/api-docs", who: "nobody" },
  { name: "not-found", path: "/prompts/there-is-no-such-prompt", who: "nobody", status: 404 },
  { name: "home-signed-in", path: "/", who: "user" },
  { name: "library-signed-in", path: "/prompts", who: "user" },
  { name: "dashboard", path: "/dashboard", who: "user" },
  { name: "workbench", path: "/workbench", who: "user" },
  { name: "history", path: "/history", who: "user" },
  { name: "settings-profile", path: "/settings/profile", who: "user" },
  { name: "settings-security", path: "/settings/security", who: "user" },
  { name: "settings-phone", path: "/settings/security/phone", who: "user" },
  { name: "settings-organization", path: "/settings/organization", who: "user" },
  { name: "settings-keys", path: "/settings/keys", who: "user" },
  { name: "settings-providers", path: "/settings/providers", who: "user" },
  { name: "new-prompt", path: "/prompts/new", who: "admin" },
  { name: "opshub", path: "/opshub", who: "admin" },
  { name: "opshub-audit", path: "/opshub/audit", who: "admin" },
  { name: "opshub-providers", path: "/opshub/providers", who: "admin" },
  { name: "opshub-users", path: "/opshub/users", who: "admin" },
  { name: "opshub-new-user", path: "/opshub/users/new", who: "admin" },
  { name: "opshub-organizations", path: "/opshub/organizations", who: "admin" },
  { name: "members", path: "/settings/organization", who: "owner" },
  { name: "organization-invitations", path: "/settings/organization/invitations", who: "owner" },
  { name: "organization-settings", path: "/settings/organization/settings", who: "owner" },
  { name: "own-users", path: "/opshub/users", who: "owner" },
  { name: "opshub-messages", path: "/opshub/messages", who: "admin" },
  { name: "opshub-backups", path: "/opshub/backups", who: "admin" },
  { name: "opshub-drills", path: "/opshub/backups/drills", who: "admin" },
  { name: "opshub-restore", path: "/opshub/backups/restore", who: "admin" },
  { name: "opshub-jobs", path: "/opshub/jobs", who: "admin" },
  { name: "opshub-schedules", path: "/opshub/schedules", who: "admin" },
  { name: "opshub-schedule", path: "/opshub/schedules/cleanup", who: "admin" },
];

/** All pages; those of one prompt and one pattern are found through their lists. */
export async function allPages() {
  const prompt = await first("/api/prompts?limit=1&featured=true", "slug");
  const pattern = await first("/api/patterns?limit=1", "id");
  return [
    ...FIXED,
    { name: "prompt", path: `/prompts/${prompt}`, who: "nobody" },
    { name: "prompt-signed-in", path: `/prompts/${prompt}`, who: "user" },
    { name: "prompt-versions", path: `/prompts/${prompt}?tab=versions`, who: "nobody" },
    { name: "edit-prompt", path: `/prompts/${prompt}/edit`, who: "admin" },
    { name: "pattern", path: `/patterns/${pattern}`, who: "nobody" },
  ];
}

async function first(path, field) {
  const reply = await fetch(need("ENGIFY_URL") + path);
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}: ${await reply.text()}`);
  const { data } = await reply.json();
  if (!data?.[0]?.[field]) throw new Error(`${path} lists nothing with a ${field}`);
  return data[0][field];
}
