// Run by test_typescript.py: node drive.mjs COMMAND {"…"}; prints what came of it as JSON.
import { Callgate, Faulty, NotTold, Refused, Unavailable } from "../../clients/typescript/lib/callgate.js";

const TO = "+14155550111";
const FROM = "+12125550100";
const [command, given] = [process.argv[2], JSON.parse(process.argv[3])];

/** What is thrown by a call that must not be dialled. */
async function asked(url, options) {
  try {
    await new Callgate(url, "cg_x", options).call({ to: TO, from: FROM }, () => "dialled");
    return "dialled";
  } catch (error) {
    const kinds = [Refused, Faulty, Unavailable].filter((kind) => error instanceof kind);
    return kinds.length === 1 ? kinds[0].name : String(error);
  }
}

async function each(urls, options) {
  const found = await Promise.all(Object.entries(urls).map(async ([name, url]) => [name, await asked(url, options)]));
  return Object.fromEntries(found);
}

const commands = {
  refusals: (urls) => each(urls, { timeout: 0.6, patience: 0 }),
  patience: async (urls) => {
    const began = performance.now();
    const found = await each(urls, { timeout: 0.6, patience: 3 });
    return { found, seconds: (performance.now() - began) / 1000 };
  },
  told: async ({ url }) => {
    const gate = new Callgate(url, "cg_x");
    try {
      await gate.call({ to: TO, from: FROM }, (call) => call.outcome("answered", { asked_not_to_be_called: true }));
    } catch (error) {
      return { kind: error instanceof NotTold, intent: error.intentId, result: error.result, details: error.details };
    }
  },
  lost: async ({ url }) => {
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    return new Callgate(url, "cg_x").call(
      { to: TO, from: FROM },
      async (call) => {
        for (let left = 100; left > 0 && !call.lost; left -= 1) await wait(20);
        return call.lost;
      },
      { renewEvery: 0.1 },
    );
  },
  live: async ({ url, key, to, blocked, seconds }) => {
    const gate = new Callgate(url, key);
    const held = await gate.call(
      { to, from: FROM, pool: "trunk", max_duration: 30, campaign: "typescript" },
      async (call) => {
        const lease = () =>
          fetch(`${url}/v1/leases/${call.id}`, { headers: { authorization: `Bearer ${key}` } }).then((r) => r.json());
        const before = await lease();
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        call.outcome("answered", { talk_seconds: seconds });
        return { before, after: await lease(), id: call.id };
      },
      { renewEvery: 1 },
    );
    let refused;
    try {
      await gate.sms({ to: blocked, from: FROM, body: "Your table is ready." });
    } catch (error) {
      refused = { kind: error.name, code: error.code, guardrails: error.violations.map((each) => each.guardrail) };
    }
    return { held, refused };
  },
};
console.log(JSON.stringify((await commands[command](given)) ?? null));
