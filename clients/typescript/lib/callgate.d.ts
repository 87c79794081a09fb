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
export type Result = "answered" | "machine" | "abandoned" | "no_answer" | "busy" | "failed" | "delivered" | "undelivered";
export interface Details {
    ring_seconds?: number;
    talk_seconds?: number;
    asked_not_to_be_called?: boolean;
}
/** There is no approval. Do not dial, do not send. */
export declare class NotApproved extends Error {
    name: string;
}
/** Callgate answered with a problem document. */
declare class Problem extends NotApproved {
    readonly problem: Json;
    readonly status: number;
    readonly code: string;
    readonly detail: string;
    constructor(problem: Json);
}
/** A guardrail said no, or there was no channel within the caller's patience. */
export declare class Refused extends Problem {
    name: string;
    /** Every guardrail that refused, in order of precedence. */
    get violations(): Json[];
    /** When the same intent would pass, where that can be told. */
    get nextAllowedAt(): Date | null;
    /** Seconds, of a full pool or a pace. */
    get retryAfter(): number | null;
}
/** The request or the key is at fault: asking again will not help. */
export declare class Faulty extends Problem {
    name: string;
    /** One `{field, reason, pointer}` a fault. */
    get errors(): Json[];
}
/** Nobody could decide: no answer in time, 503, or an answer that is not to be understood. */
export declare class Unavailable extends NotApproved {
    name: string;
}
/** The call is over, and how it ended could not be told. It may be told again for a day with `gate.outcome`. */
export declare class NotTold extends Error {
    readonly intentId: string;
    readonly result: Result;
    readonly details: Details;
    name: string;
    constructor(intentId: string, result: Result, details: Details, why: string);
}
/** An approved call that is under way. */
export declare class Call {
    readonly approval: Approval;
    /** True once Callgate has said that the lease is over: its channel may be another call's by now. */
    lost: boolean;
    /** What will be told when the block ends. */
    ending: {
        result: Result;
        details: Details;
    } | undefined;
    constructor(approval: Approval);
    get id(): string;
    /** How the call ended. Told when the block ends, however it ends; the last one counts. */
    outcome(result: Result, details?: Details): void;
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
/** One key on one Callgate. */
export declare class Callgate {
    private readonly key;
    private readonly base;
    private readonly patience;
    private readonly timeout;
    private readonly fetch;
    constructor(url: string, key: string, options?: Options);
    /**
     * Runs `block` with an approved call, whose channel is held as long as it runs: renewed while it lasts, and at the
     * end given back with the outcome. Throws Refused, Faulty or Unavailable before the block, and NotTold after it
     * where an outcome could not be told.
     */
    call<T>(intent: CallIntent, block: (call: Call) => Promise<T> | T, options?: HoldOptions): Promise<T>;
    /** The approval of a text. Throws Refused, Faulty or Unavailable: then do not send it. */
    sms(intent: SmsIntent, options?: {
        patience?: number;
    }): Promise<Approval>;
    /** The approval of an intent as the API describes it. One attempt: its Idempotency-Key is kept over all tries. */
    approve(intent: Json & {
        type: "call" | "sms";
    }, options?: {
        patience?: number;
    }): Promise<Approval>;
    /** How an approved call or text ended. May be told again, or corrected, for a day. Throws NotTold. */
    outcome(intentId: string, result: Result, details?: Details): Promise<void>;
    /** Moves the lease's end by so many seconds; the new end. Throws Faulty (409) when the lease is over. */
    renew(leaseId: string, seconds: number, options?: {
        patience?: number;
    }): Promise<Date>;
    /** Gives the channel back, once or again. */
    release(leaseId: string): Promise<void>;
    private end;
    /**
     * Moves the lease's end along with the call. A failure is tried again soon, and never ends the call. Each renewal
     * makes the whole of the lease good again, so that what is lost on the way and to failures does not add up.
     */
    private keep;
    private ask;
    /** One try, over in so many seconds however slowly its bytes come. */
    private once;
}
export {};
