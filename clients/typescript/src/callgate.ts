/**
 * Asks Callgate before a call or a text reaches a carrier. Whatever is not an approval is thrown: do not dial.
 *
 * Needs nothing but `fetch` (Node 20 and later, Deno, Bun, workers).
 */
import type { components } from "./schema.js";

type Schemas = components["schemas"];
type Json = Record<string, unknown>;
/** An answer's document, as docs/openapi.json describes it. */
export type Approval = Schemas["ApprovalDocument"];
export type CallIntent = Omit<Partial<Schemas["CallBody"]>, "type"> & Pick<Schemas["CallBody"], "to" | "from">;
export type SmsIntent = Omit<Partial<Schemas["SmsBody"]>, "type"> & Pick<Schemas["SmsBody"], "to" | "from" | "body">;
export type Result =
  | "answered" | "machine" | "abandoned" | "no_answer" | "busy" | "failed" | "delivered" | "undelivered";
export interface Details {
  ring_seconds?: number;
  talk_seconds?: number;
  asked_not_to_be_called?: boolean;
}

/** There is no approval. Do not dial, do not send. */
export class NotApproved extends Error {
  override name = "NotApproved";
}

/** Callgate answered with a problem document. */
class Problem extends NotApproved {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  constructor(readonly problem: Json) {
    super(`${String(problem["code"])}: ${String(problem["detail"])}`);
    this.status = Number(problem["status"]);
    this.code = String(problem["code"]);
    this.detail = String(problem["detail"]);
  }
}

/** A guardrail said no, or there was no channel within the caller's patience. */
export class Refused extends Problem {
  override name = "Refused";
  /** Every guardrail that refused, in order of precedence. */
  get violations(): Json[] {
    const told = this.problem["violations"];
    return Array.isArray(told) ? (told as Json[]) : [];
  }
  /** When the same intent would pass, where that can be told. */
  get nextAllowedAt(): Date | null {
    const told = this.problem["next_allowed_at"];
    const moment = typeof told === "string" ? new Date(told) : null;
    return moment !== null && !Number.isNaN(moment.getTime()) ? moment : null;
  }
  /** Seconds, of a full pool or a pace. */
  get retryAfter(): number | null {
    const told = this.problem["retry_after"];
    return typeof told === "number" ? told : null;
  }
}

/** The request or the key is at fault: asking again will not help. */
export class Faulty extends Problem {
  override name = "Faulty";
  /** One `{field, reason, pointer}` a fault. */
  get errors(): Json[] {
    const told = this.problem["errors"];
    return Array.isArray(told) ? (told as Json[]) : [];
  }
}

/** Nobody could decide: no answer in time, 503, or an answer that is not to be understood. */
export class Unavailable extends NotApproved {
  override name = "Unavailable";
}

/** The call is over, and how it ended could not be told. It may be told again for a day with `gate.outcome`. */
export class NotTold extends Error {
  override name = "NotTold";
  constructor(readonly intentId: string, readonly result: Result, readonly details: Details, why: string) {
    super(`the outcome ${result} of ${intentId} was not taken: ${why}`);
  }
}

/** An approved call that is under way. */
export class Call {
  /** True once Callgate has said that the lease is over: its channel may be another call's by now. */
  lost = false;
  /** What will be told when the block ends. */
  ending: { result: Result; details: Details } | undefined;
  constructor(readonly approval: Approval) {}
  get id(): string {
    return this.approval.id;
  }
  /** How the call ended. Told when the block ends, however it ends; the last one counts. */
  outcome(result: Result, details: Details = {}): void {
    this.ending = { result, details };
  }
}

export interface Options {
  /** For how many seconds a question is asked again after 429, 503 or no answer. 10. */
  patience?: number;
  /** Seconds that a single try may take, from the first byte to the last. 5. */
  timeout?: number;
  /** Another `fetch`, for a proxy or a certificate of one's own. */
  fetch?: typeof fetch;
}
export interface HoldOptions {
  patience?: number;
  /** Seconds between two renewals; half of `max_duration`. */
  renewEvery?: number;
}

interface Answer {
  status: number;
  retryAfter: number | null;
  body: string;
}

/** The answer is none that Callgate gives. */
class Garbled extends Error {}

const LEASE_SECONDS = 120;
const TELL_SECONDS = 20;
const RENEW_AGAIN_SECONDS = 2;
const LONGEST_RENEWAL = 14_400;
const LARGEST_ANSWER = 4 * 1024 * 1024;
const PASSING = new Set([429, 500, 502, 503, 504]);
const CRASHES = 3;

/** One key on one Callgate. */
export class Callgate {
  private readonly base: string;
  private readonly patience: number;
  private readonly timeout: number;
  private readonly fetch: typeof fetch;

  constructor(url: string, private readonly key: string, options: Options = {}) {
    if (!/^cg_[!-~]+$/.test(key)) throw new TypeError("a key begins with cg_ and has no space or line end in or about it");
    this.base = url.replace(/\/+$/, "");
    this.patience = options.patience ?? 10;
    this.timeout = options.timeout ?? 5;
    this.fetch = options.fetch ?? ((...asked) => fetch(...asked));
  }

  /**
   * Runs `block` with an approved call, whose channel is held as long as it runs: renewed while it lasts, and at the
   * end given back with the outcome. Throws Refused, Faulty or Unavailable before the block, and NotTold after it
   * where an outcome could not be told.
   */
  async call<T>(intent: CallIntent, block: (call: Call) => Promise<T> | T, options: HoldOptions = {}): Promise<T> {
    const seconds = intent.max_duration ?? LEASE_SECONDS;
    const ends = performance.now() / 1000 + seconds; // at the earliest
    const approval = await this.approve({ ...intent, type: "call", max_duration: seconds }, options);
    const call = new Call(approval);
    const over = new AbortController();
    const keeper = this.keep(call, options.renewEvery ?? seconds / 2, seconds, ends, over.signal);
    let made: T;
    try {
      made = await block(call);
    } catch (error) {
      over.abort();
      await keeper;
      await this.end(call).catch(() => undefined); // the block's own exception is what the caller has to see
      throw error;
    }
    over.abort();
    await keeper;
    await this.end(call);
    return made;
  }

  /** The approval of a text. Throws Refused, Faulty or Unavailable: then do not send it. */
  async sms(intent: SmsIntent, options: { patience?: number } = {}): Promise<Approval> {
    return this.approve({ ...intent, type: "sms" }, options);
  }

  /** The approval of an intent as the API describes it. One attempt: its Idempotency-Key is kept over all tries. */
  async approve(intent: Json & { type: "call" | "sms" }, options: { patience?: number } = {}): Promise<Approval> {
    return this.ask("POST", "/v1/intents", intent, (answer) => approvalOf(answer, intent), {
      patience: options.patience ?? this.patience,
      key: crypto.randomUUID(),
    });
  }

  /** How an approved call or text ended. May be told again, or corrected, for a day. Throws NotTold. */
  async outcome(intentId: string, result: Result, details: Details = {}): Promise<void> {
    try {
      const path = `/v1/intents/${encodeURIComponent(intentId)}/outcome`;
      await this.ask("POST", path, { result, ...details }, okay, { patience: TELL_SECONDS });
    } catch (error) {
      if (error instanceof NotApproved) throw new NotTold(intentId, result, details, error.message);
      throw error;
    }
  }

  /** Moves the lease's end by so many seconds; the new end. Throws Faulty (409) when the lease is over. */
  async renew(leaseId: string, seconds: number, options: { patience?: number } = {}): Promise<Date> {
    const path = `/v1/leases/${encodeURIComponent(leaseId)}/renew`;
    return this.ask("POST", path, { extend_by: seconds }, endOf, { patience: options.patience ?? 0 });
  }

  /** Gives the channel back, once or again. */
  async release(leaseId: string): Promise<void> {
    const path = `/v1/leases/${encodeURIComponent(leaseId)}`;
    await this.ask("DELETE", path, undefined, gone, { patience: TELL_SECONDS });
  }

  private async end(call: Call): Promise<void> {
    if (call.ending !== undefined) return this.outcome(call.id, call.ending.result, call.ending.details);
    try {
      await this.release(call.approval.lease!.id);
    } catch (error) {
      if (!(error instanceof NotApproved)) throw error; // else the channel comes back when its lease ends
    }
  }

  /**
   * Moves the lease's end along with the call. A failure is tried again soon, and never ends the call. Each renewal
   * makes the whole of the lease good again, so that what is lost on the way and to failures does not add up.
   */
  private async keep(call: Call, every: number, lease: number, ends: number, over: AbortSignal): Promise<void> {
    let known = Date.parse(call.approval.lease!.expires_at);
    for (let wait = every; await pause(wait, over); ) {
      const missing = Math.ceil(lease - (ends - performance.now() / 1000));
      try {
        const told = await this.renew(call.approval.lease!.id, Math.min(Math.max(missing, 1), LONGEST_RENEWAL));
        // By the difference of what Callgate says: a renewal whose answer was lost is in it.
        ends += (told.getTime() - known) / 1000;
        known = told.getTime();
        wait = every;
      } catch (error) {
        if (error instanceof Faulty && (error.status === 404 || error.status === 409)) {
          call.lost = true;
          return;
        }
        wait = Math.min(every, RENEW_AGAIN_SECONDS);
      }
    }
  }

  private async ask<T>(
    method: string, path: string, body: Json | undefined, read: (answer: Answer) => T,
    { patience, key }: { patience: number; key?: string },
  ): Promise<T> {
    const started = performance.now();
    const passed = () => (performance.now() - started) / 1000;
    let waited = 0;
    let crashes = 0;
    for (;;) {
      let failure: NotApproved;
      let wait: number;
      let answer: Answer | undefined;
      try {
        const left = Math.max(patience, this.timeout) - passed();
        answer = await this.once(method, path, body, key, Math.min(this.timeout, Math.max(left, 0.05)));
        return read(answer);
      } catch (error) {
        const longer = Math.min(Math.max(waited * 2, 0.25), 2);
        if (answer === undefined) {
          // Decided or not? Under the same key the question may safely be asked again, the first time at once.
          failure = new Unavailable(`no answer: ${String(error)}`);
          wait = waited;
        } else {
          if (!(error instanceof Garbled)) throw error;
          const [judged, again] = judge(answer, error, key !== undefined);
          failure = judged;
          if (answer.status === 500) crashes += 1;
          if (!again || crashes > CRASHES) throw failure;
          wait = Math.max(answer.retryAfter ?? longer, crashes > 0 ? 2 ** (crashes - 1) : 0);
        }
        waited = longer;
      }
      if (passed() + wait > patience) throw failure;
      await pause(wait);
    }
  }

  /** One try, over in so many seconds however slowly its bytes come. */
  private async once(
    method: string, path: string, body: Json | undefined, key: string | undefined, seconds: number,
  ): Promise<Answer> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.key}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (key !== undefined) headers["idempotency-key"] = `"${key}"`;
    const response = await this.fetch(this.base + path, {
      method, headers, redirect: "manual", signal: AbortSignal.timeout(Math.ceil(seconds * 1000)),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const pieces: Uint8Array[] = [];
    let length = 0;
    const reader = response.body?.getReader();
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader!.read()) {
      length += piece.value.length;
      if (length > LARGEST_ANSWER) {
        await reader!.cancel();
        throw new Error("an answer without an end");
      }
      pieces.push(piece.value);
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    const told = response.headers.get("retry-after");
    return {
      status: response.status,
      retryAfter: told !== null && /^\d{1,9}$/.test(told) ? Number(told) : null,
      body: new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    };
  }
}

function documentOf(answer: Answer): Json {
  let found: unknown;
  try {
    found = JSON.parse(answer.body);
  } catch {
    throw new Garbled(`${answer.status} with a body that is not to be read`);
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) {
    throw new Garbled(`${answer.status} with a body that is no document`);
  }
  return found as Json;
}

/** The approval of just this intent; Garbled for anything else, whatever its status. */
function approvalOf(answer: Answer, intent: Json): Approval {
  if (answer.status !== 201) throw new Garbled(`${answer.status}, which is no approval`);
  const document = documentOf(answer);
  if (document["verdict"] !== "approved") throw new Garbled("201 without an approval");
  for (const name of ["type", "to", "from"]) {
    if (document[name] !== intent[name]) throw new Garbled(`201 for another ${name} than was asked`);
  }
  if (!isId(document["id"])) throw new Garbled("201 without an id");
  if (intent["type"] === "call") {
    const lease = document["lease"] as Json | null | undefined;
    if (typeof lease !== "object" || lease === null || !isId(lease["id"]) || !isWord(lease["expires_at"])) {
      throw new Garbled("201 for a call without a lease");
    }
    if (Number.isNaN(Date.parse(lease["expires_at"] as string))) throw new Garbled("an instant that is none");
  }
  return document as Approval;
}

/** What the answer means, and whether the same question may be answered otherwise in a while. */
function judge(answer: Answer, garbled: Garbled, keyed: boolean): [NotApproved, boolean] {
  const problem = problemOf(answer);
  if (problem === null) {
    // No document of ours. What a proxy says of itself passes; a redirect, a page or another service does not.
    return [new Unavailable(garbled.message), PASSING.has(answer.status) || answer.status === 201];
  }
  const said = `${String(problem["code"])}: ${String(problem["detail"])}`;
  if (answer.status === 500 || answer.status === 503) return [new Unavailable(said), true];
  if (answer.status === 429) return [new Refused(problem), true];
  if (answer.status === 409 && keyed) return [new Unavailable(said), true]; // the first try is still running
  const guardrails = problem["violations"];
  const refused = Array.isArray(guardrails) && guardrails.length > 0;
  return [refused ? new Refused(problem) : new Faulty(problem), false];
}

function problemOf(answer: Answer): Json | null {
  try {
    const document = documentOf(answer);
    const fits = answer.status >= 400 && document["status"] === answer.status;
    return fits && isWord(document["code"]) && isWord(document["detail"]) ? document : null;
  } catch {
    return null;
  }
}

function endOf(answer: Answer): Date {
  if (answer.status !== 200) throw new Garbled(`${answer.status}, where 200 was due`);
  const end = new Date(String(documentOf(answer)["expires_at"]));
  if (Number.isNaN(end.getTime())) throw new Garbled("an instant that is none");
  return end;
}

function okay(answer: Answer): void {
  if (answer.status !== 200) throw new Garbled(`${answer.status}, where 200 was due`);
  documentOf(answer);
}

function gone(answer: Answer): void {
  if (answer.status !== 204) throw new Garbled(`${answer.status}, where 204 was due`);
}

function isWord(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isId(value: unknown): boolean {
  return typeof value === "string" && /^[0-9A-Za-z-]{8,64}$/.test(value);
}

/** True when so many seconds are over, false when the signal came first. */
async function pause(seconds: number, over?: AbortSignal): Promise<boolean> {
  if (over?.aborted) return false;
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      over?.removeEventListener("abort", done);
      resolve(true);
    }, seconds * 1000);
    over?.addEventListener("abort", done, { once: true });
  });
}
