// Compiled by `make clients` from src/callgate.ts; not to be edited.
// sha256 of it: a80c986517bcd64ab99b17ac50a1761e7776e7091800506bd000b6c071729e55
/** There is no approval. Do not dial, do not send. */
export class NotApproved extends Error {
    name = "NotApproved";
}
/** Callgate answered with a problem document. */
class Problem extends NotApproved {
    problem;
    status;
    code;
    detail;
    constructor(problem) {
        super(`${String(problem["code"])}: ${String(problem["detail"])}`);
        this.problem = problem;
        this.status = Number(problem["status"]);
        this.code = String(problem["code"]);
        this.detail = String(problem["detail"]);
    }
}
/** A guardrail said no, or there was no channel within the caller's patience. */
export class Refused extends Problem {
    name = "Refused";
    /** Every guardrail that refused, in order of precedence. */
    get violations() {
        const told = this.problem["violations"];
        return Array.isArray(told) ? told : [];
    }
    /** When the same intent would pass, where that can be told. */
    get nextAllowedAt() {
        const told = this.problem["next_allowed_at"];
        const moment = typeof told === "string" ? new Date(told) : null;
        return moment !== null && !Number.isNaN(moment.getTime()) ? moment : null;
    }
    /** Seconds, of a full pool or a pace. */
    get retryAfter() {
        const told = this.problem["retry_after"];
        return typeof told === "number" ? told : null;
    }
}
/** The request or the key is at fault: asking again will not help. */
export class Faulty extends Problem {
    name = "Faulty";
    /** One `{field, reason, pointer}` a fault. */
    get errors() {
        const told = this.problem["errors"];
        return Array.isArray(told) ? told : [];
    }
}
/** Nobody could decide: no answer in time, 503, or an answer that is not to be understood. */
export class Unavailable extends NotApproved {
    name = "Unavailable";
}
/** The call is over, and how it ended could not be told. It may be told again for a day with `gate.outcome`. */
export class NotTold extends Error {
    intentId;
    result;
    details;
    name = "NotTold";
    constructor(intentId, result, details, why) {
        super(`the outcome ${result} of ${intentId} was not taken: ${why}`);
        this.intentId = intentId;
        this.result = result;
        this.details = details;
    }
}
/** An approved call that is under way. */
export class Call {
    approval;
    /** True once Callgate has said that the lease is over: its channel may be another call's by now. */
    lost = false;
    /** What will be told when the block ends. */
    ending;
    constructor(approval) {
        this.approval = approval;
    }
    get id() {
        return this.approval.id;
    }
    /** How the call ended. Told when the block ends, however it ends; the last one counts. */
    outcome(result, details = {}) {
        this.ending = { result, details };
    }
}
/** The answer is none that Callgate gives. */
class Garbled extends Error {
}
const LEASE_SECONDS = 120;
const TELL_SECONDS = 20;
const RENEW_AGAIN_SECONDS = 2;
const LONGEST_RENEWAL = 14_400;
const LARGEST_ANSWER = 4 * 1024 * 1024;
const PASSING = new Set([429, 500, 502, 503, 504]);
const CRASHES = 3;
/** One key on one Callgate. */
export class Callgate {
    key;
    base;
    patience;
    timeout;
    fetch;
    constructor(url, key, options = {}) {
        this.key = key;
        if (!/^cg_[!-~]+$/.test(key))
            throw new TypeError("a key begins with cg_ and has no space or line end in or about it");
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
    async call(intent, block, options = {}) {
        const seconds = intent.max_duration ?? LEASE_SECONDS;
        const ends = performance.now() / 1000 + seconds; // at the earliest
        const approval = await this.approve({ ...intent, type: "call", max_duration: seconds }, options);
        const call = new Call(approval);
        const over = new AbortController();
        const keeper = this.keep(call, options.renewEvery ?? seconds / 2, seconds, ends, over.signal);
        let made;
        try {
            made = await block(call);
        }
        catch (error) {
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
    async sms(intent, options = {}) {
        return this.approve({ ...intent, type: "sms" }, options);
    }
    /** The approval of an intent as the API describes it. One attempt: its Idempotency-Key is kept over all tries. */
    async approve(intent, options = {}) {
        return this.ask("POST", "/v1/intents", intent, (answer) => approvalOf(answer, intent), {
            patience: options.patience ?? this.patience,
            key: crypto.randomUUID(),
        });
    }
    /** How an approved call or text ended. May be told again, or corrected, for a day. Throws NotTold. */
    async outcome(intentId, result, details = {}) {
        try {
            const path = `/v1/intents/${encodeURIComponent(intentId)}/outcome`;
            await this.ask("POST", path, { result, ...details }, okay, { patience: TELL_SECONDS });
        }
        catch (error) {
            if (error instanceof NotApproved)
                throw new NotTold(intentId, result, details, error.message);
            throw error;
        }
    }
    /** Moves the lease's end by so many seconds; the new end. Throws Faulty (409) when the lease is over. */
    async renew(leaseId, seconds, options = {}) {
        const path = `/v1/leases/${encodeURIComponent(leaseId)}/renew`;
        return this.ask("POST", path, { extend_by: seconds }, endOf, { patience: options.patience ?? 0 });
    }
    /** Gives the channel back, once or again. */
    async release(leaseId) {
        const path = `/v1/leases/${encodeURIComponent(leaseId)}`;
        await this.ask("DELETE", path, undefined, gone, { patience: TELL_SECONDS });
    }
    async end(call) {
        if (call.ending !== undefined)
            return this.outcome(call.id, call.ending.result, call.ending.details);
        try {
            await this.release(call.approval.lease.id);
        }
        catch (error) {
            if (!(error instanceof NotApproved))
                throw error; // else the channel comes back when its lease ends
        }
    }
    /**
     * Moves the lease's end along with the call. A failure is tried again soon, and never ends the call. Each renewal
     * makes the whole of the lease good again, so that what is lost on the way and to failures does not add up.
     */
    async keep(call, every, lease, ends, over) {
        let known = Date.parse(call.approval.lease.expires_at);
        for (let wait = every; await pause(wait, over);) {
            const missing = Math.ceil(lease - (ends - performance.now() / 1000));
            try {
                const told = await this.renew(call.approval.lease.id, Math.min(Math.max(missing, 1), LONGEST_RENEWAL));
                // By the difference of what Callgate says: a renewal whose answer was lost is in it.
                ends += (told.getTime() - known) / 1000;
                known = told.getTime();
                wait = every;
            }
            catch (error) {
                if (error instanceof Faulty && (error.status === 404 || error.status === 409)) {
                    call.lost = true;
                    return;
                }
                wait = Math.min(every, RENEW_AGAIN_SECONDS);
            }
        }
    }
    async ask(method, path, body, read, { patience, key }) {
        const started = performance.now();
        const passed = () => (performance.now() - started) / 1000;
        let waited = 0;
        let crashes = 0;
        for (;;) {
            let failure;
            let wait;
            let answer;
            try {
                const left = Math.max(patience, this.timeout) - passed();
                answer = await this.once(method, path, body, key, Math.min(this.timeout, Math.max(left, 0.05)));
                return read(answer);
            }
            catch (error) {
                const longer = Math.min(Math.max(waited * 2, 0.25), 2);
                if (answer === undefined) {
                    // Decided or not? Under the same key the question may safely be asked again, the first time at once.
                    failure = new Unavailable(`no answer: ${String(error)}`);
                    wait = waited;
                }
                else {
                    if (!(error instanceof Garbled))
                        throw error;
                    const [judged, again] = judge(answer, error, key !== undefined);
                    failure = judged;
                    if (answer.status === 500)
                        crashes += 1;
                    if (!again || crashes > CRASHES)
                        throw failure;
                    wait = Math.max(answer.retryAfter ?? longer, crashes > 0 ? 2 ** (crashes - 1) : 0);
                }
                waited = longer;
            }
            if (passed() + wait > patience)
                throw failure;
            await pause(wait);
        }
    }
    /** One try, over in so many seconds however slowly its bytes come. */
    async once(method, path, body, key, seconds) {
        const headers = { authorization: `Bearer ${this.key}` };
        if (body !== undefined)
            headers["content-type"] = "application/json";
        if (key !== undefined)
            headers["idempotency-key"] = `"${key}"`;
        const response = await this.fetch(this.base + path, {
            method, headers, redirect: "manual", signal: AbortSignal.timeout(Math.ceil(seconds * 1000)),
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const pieces = [];
        let length = 0;
        const reader = response.body?.getReader();
        for (let piece = await reader?.read(); piece && !piece.done; piece = await reader.read()) {
            length += piece.value.length;
            if (length > LARGEST_ANSWER) {
                await reader.cancel();
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
function documentOf(answer) {
    let found;
    try {
        found = JSON.parse(answer.body);
    }
    catch {
        throw new Garbled(`${answer.status} with a body that is not to be read`);
    }
    if (typeof found !== "object" || found === null || Array.isArray(found)) {
        throw new Garbled(`${answer.status} with a body that is no document`);
    }
    return found;
}
/** The approval of just this intent; Garbled for anything else, whatever its status. */
function approvalOf(answer, intent) {
    if (answer.status !== 201)
        throw new Garbled(`${answer.status}, which is no approval`);
    const document = documentOf(answer);
    if (document["verdict"] !== "approved")
        throw new Garbled("201 without an approval");
    for (const name of ["type", "to", "from"]) {
        if (document[name] !== intent[name])
            throw new Garbled(`201 for another ${name} than was asked`);
    }
    if (!isId(document["id"]))
        throw new Garbled("201 without an id");
    if (intent["type"] === "call") {
        const lease = document["lease"];
        if (typeof lease !== "object" || lease === null || !isId(lease["id"]) || !isWord(lease["expires_at"])) {
            throw new Garbled("201 for a call without a lease");
        }
        if (Number.isNaN(Date.parse(lease["expires_at"])))
            throw new Garbled("an instant that is none");
    }
    return document;
}
/** What the answer means, and whether the same question may be answered otherwise in a while. */
function judge(answer, garbled, keyed) {
    const problem = problemOf(answer);
    if (problem === null) {
        // No document of ours. What a proxy says of itself passes; a redirect, a page or another service does not.
        return [new Unavailable(garbled.message), PASSING.has(answer.status) || answer.status === 201];
    }
    const said = `${String(problem["code"])}: ${String(problem["detail"])}`;
    if (answer.status === 500 || answer.status === 503)
        return [new Unavailable(said), true];
    if (answer.status === 429)
        return [new Refused(problem), true];
    if (answer.status === 409 && keyed)
        return [new Unavailable(said), true]; // the first try is still running
    const guardrails = problem["violations"];
    const refused = Array.isArray(guardrails) && guardrails.length > 0;
    return [refused ? new Refused(problem) : new Faulty(problem), false];
}
function problemOf(answer) {
    try {
        const document = documentOf(answer);
        const fits = answer.status >= 400 && document["status"] === answer.status;
        return fits && isWord(document["code"]) && isWord(document["detail"]) ? document : null;
    }
    catch {
        return null;
    }
}
function endOf(answer) {
    if (answer.status !== 200)
        throw new Garbled(`${answer.status}, where 200 was due`);
    const end = new Date(String(documentOf(answer)["expires_at"]));
    if (Number.isNaN(end.getTime()))
        throw new Garbled("an instant that is none");
    return end;
}
function okay(answer) {
    if (answer.status !== 200)
        throw new Garbled(`${answer.status}, where 200 was due`);
    documentOf(answer);
}
function gone(answer) {
    if (answer.status !== 204)
        throw new Garbled(`${answer.status}, where 204 was due`);
}
function isWord(value) {
    return typeof value === "string" && value !== "";
}
function isId(value) {
    return typeof value === "string" && /^[0-9A-Za-z-]{8,64}$/.test(value);
}
/** True when so many seconds are over, false when the signal came first. */
async function pause(seconds, over) {
    if (over?.aborted)
        return false;
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
