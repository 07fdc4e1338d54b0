/** The error catalogue: every refusal and fault a user can meet, with its HTTP status, one
 *  sentence and what to do. `docs/errors.md` is made from it.
 *
 *  `kind` alone decides retry, status class and log level:
 *  - `caller`  the request is wrong; sending it again changes nothing.
 *  - `auth`    the caller is not known or not allowed.
 *  - `absent`  the thing named does not exist.
 *  - `quota`   a limit of the caller is spent; it resets, it does not clear by retrying.
 *  - `busy`    a limit of ours is reached; retrying after a pause helps.
 *  - `engine`  a model server failed; another deployment may answer.
 *  - `fault`   we failed.
 */
export type ErrorKind = 'caller' | 'auth' | 'absent' | 'quota' | 'busy' | 'engine' | 'fault'

interface Entry {
  readonly kind: ErrorKind
  /** The detail `httpStatus` stands in its place where the configuration chooses. */
  readonly status: number
  /** What happened. `{name}` is filled from the details. */
  readonly sentence: string
  /** What to do about it. */
  readonly remedy: string
}

// A table: one line, one error.
// oxfmt-ignore
export const ERRORS = {
  // The request
  body_malformed: { kind: 'caller', status: 400, sentence: 'The body is not valid JSON: {reason}.', remedy: 'Send one JSON object with content-type application/json.' },
  body_too_large: { kind: 'caller', status: 413, sentence: 'The body is larger than {limitBytes} bytes.', remedy: 'Send less, or split the request.' },
  body_too_deep: { kind: 'caller', status: 400, sentence: 'The body nests deeper than {limit} levels.', remedy: 'Flatten the JSON.' },
  body_timeout: { kind: 'caller', status: 408, sentence: 'The body did not arrive within {limitMs} ms.', remedy: 'Send the whole body without pausing.' },
  field_invalid: { kind: 'caller', status: 400, sentence: '`{field}` {problem}.', remedy: '{remedy}' },
  file_too_large: { kind: 'caller', status: 413, sentence: 'A file for the purpose "{purpose}" has at most {limitBytes} bytes.', remedy: 'Split it.' },
  files_full: { kind: 'caller', status: 409, sentence: 'There are {files} files with {bytes} bytes; at most {limitFiles} files and {limitBytes} bytes are kept for one owner.', remedy: 'Delete files that are not needed any more, or raise `files.ownerMiBMax`.' },
  batches_full: { kind: 'caller', status: 429, sentence: 'There are {limit} batches that have not ended, which is the most for one owner.', remedy: 'Wait until one has ended, or cancel one.' },
  batch_over: { kind: 'caller', status: 409, sentence: 'The batch {id} has ended: it is {state}.', remedy: 'Nothing is left to be done with it.' },
  request_refused: { kind: 'caller', status: 400, sentence: 'The request is ambiguous and was refused: {reason}.', remedy: 'Send plain HTTP/1.1 with one Host, one length and one credential.' },
  path_unknown: { kind: 'absent', status: 404, sentence: 'There is nothing at {method} {path}.', remedy: 'See /api/openapi.json for what there is.' },
  role_absent: { kind: 'absent', status: 404, sentence: 'This process does not have the role "{role}".', remedy: 'Ask one that has it: `headworks up` without `--roles` has all.' },
  method_not_allowed: { kind: 'caller', status: 405, sentence: '{path} does not answer to {method}.', remedy: 'Use {allowed}.' },
  context_too_long: { kind: 'caller', status: 400, sentence: 'The input has {tokens} tokens; {model} reads at most {limit}.', remedy: 'Send less context.' },
  idempotency_key_reused: { kind: 'caller', status: 422, sentence: 'The Idempotency-Key stands for another request.', remedy: 'Send a new key with a new request, and the same one only with the same bytes.' },
  idempotency_key_busy: { kind: 'busy', status: 409, sentence: 'The request with this Idempotency-Key is being answered.', remedy: 'Retry after a pause: the answer is then the same.' },
  guard_blocked: { kind: 'caller', status: 400, sentence: 'The guard "{guard}" refused the {what}: {reason}.', remedy: 'Leave out what it names; an administrator decides under `guards:` what is let through.' },
  guard_failed: { kind: 'busy', status: 503, sentence: 'The guard "{guard}" gave no verdict: {reason}.', remedy: 'Retry after a pause. An administrator gives it a longer `budgetMs`, or lets requests pass with `onFailure: pass`.' },
  operation_unsupported: { kind: 'caller', status: 400, sentence: 'The model "{model}" does not serve {operation}.', remedy: 'GET /v1/models says what each model serves.' },

  // Who and whether
  key_missing: { kind: 'auth', status: 401, sentence: 'The request carries no key.', remedy: 'Send `Authorization: Bearer <key>` or `x-api-key`. `npx headworks keys create` makes one.' },
  key_unknown: { kind: 'auth', status: 401, sentence: 'The key is not known, has expired or was revoked.', remedy: 'Check it for a typing error, or make a new one with `npx headworks keys create`.' },
  key_ambiguous: { kind: 'auth', status: 400, sentence: 'The request carries two different credentials.', remedy: 'Send one of `Authorization` and `x-api-key`.' },
  not_allowed: { kind: 'auth', status: 403, sentence: 'This key may not {action}.', remedy: 'Ask an administrator, or use a key with the role {role}.' },
  model_not_allowed: { kind: 'auth', status: 403, sentence: 'This key may not call "{model}".', remedy: 'GET /v1/models lists what it may call; an administrator makes keys that may call more.' },
  name_not_allowed: { kind: 'auth', status: 403, sentence: 'This key may not name the {what} of a request, as `{field}` does.', remedy: 'Leave the field out, or use a key made with `--may-name {what}`.' },
  key_ended: { kind: 'caller', status: 409, sentence: 'The key {id} has expired or was revoked.', remedy: 'Make a new one: `npx headworks keys create`.' },
  key_changed: { kind: 'caller', status: 409, sentence: 'The key {id} was changed by somebody else at the same moment.', remedy: 'Look at it again: `npx headworks keys list`.' },
  keys_full: { kind: 'caller', status: 409, sentence: 'There are {limit} keys, which is the limit.', remedy: 'Revoke keys that are not used any more.' },

  // What was named
  model_unknown: { kind: 'absent', status: 404, sentence: 'No model is called "{model}".', remedy: 'GET /v1/models lists what there is; `models:` and `workflows:` in headworks.yaml add more.' },
  collection_unknown: { kind: 'absent', status: 404, sentence: 'No collection is called "{collection}".', remedy: '`npx headworks ingest {collection} <folder>` makes it.' },
  not_found: { kind: 'absent', status: 404, sentence: 'No {what} is called "{id}".', remedy: 'Check the name.' },

  // Budgets and rate limits
  budget_spent: { kind: 'quota', status: 429, sentence: 'The budget "{budget}" of {whose} has {available} of {limit} left; this request may need {needed}. {resets}.', remedy: 'Ask for less, wait until it resets, or have an administrator raise it; `npx headworks budgets` shows where it stands.' },
  budget_too_small: { kind: 'quota', status: 429, sentence: 'This request may need {needed}; the budget "{budget}" of {whose} allows {limit} in all, and {available} now.', remedy: 'Lower `max_completion_tokens` or send less input; waiting changes nothing.' },
  budget_contended: { kind: 'busy', status: 503, sentence: 'What is left of the budget "{budget}" of {whose} is held by requests that run.', remedy: 'Retry after a pause: what they do not use comes back.' },
  budgets_unavailable: { kind: 'busy', status: 503, sentence: 'The budgets cannot be kept at the moment: {reason}.', remedy: 'Retry after a pause; nothing is called that is not accounted for.' },
  rate_limited: { kind: 'busy', status: 429, sentence: 'The rate limit "{budget}" of {whose} is reached: {limit}.', remedy: 'Retry after the time in `retry-after-ms`.' },
  input_unbounded: { kind: 'caller', status: 400, sentence: '`{field}` {reason}, and the budget "{budget}" has to know before the call what it can cost.', remedy: 'Leave it out, or call with a key that no such budget binds.' },
  price_unknown: { kind: 'caller', status: 400, sentence: '{deployment} has no price, and the budget "{budget}" counts money.', remedy: 'An administrator gives the deployment a `price`, or prices it in the file that `prices:` names.' },

  // Limits of ours
  overloaded: { kind: 'busy', status: 503, sentence: 'Too much is in flight: {what} is at its limit of {limit}.', remedy: 'Retry after a pause; raise the limit if this lasts.' },
  stopping: { kind: 'busy', status: 503, sentence: 'This process is draining and takes no new work.', remedy: 'Retry: the next attempt reaches another process, or this one after its restart.' },

  // Engines
  engine_unreachable: { kind: 'engine', status: 502, sentence: 'The engine "{engine}" cannot be reached: {reason}.', remedy: 'Check its `url` and that it runs: `npx headworks doctor` tries every engine.' },
  engine_timeout: { kind: 'engine', status: 504, sentence: 'The engine "{engine}" did not {phase} within {limitMs} ms.', remedy: 'Raise `timeouts` of the model, or give it a `fallback`.' },
  engine_refused: { kind: 'engine', status: 502, sentence: 'The engine "{engine}" answered {status}: {reason}.', remedy: 'Look at the engine\'s own log; its key and model name are set in headworks.yaml.' },
  engine_rejected: { kind: 'caller', status: 400, sentence: 'The engine "{engine}" rejected the request: {reason}.', remedy: 'Change the request as the engine says.' },
  engine_busy: { kind: 'engine', status: 503, sentence: 'The engine "{engine}" is overloaded.', remedy: 'Retry after a pause, or add a deployment.' },
  engine_garbled: { kind: 'engine', status: 502, sentence: 'The engine "{engine}" sent something that is no answer: {reason}.', remedy: 'Check that its `kind` fits what runs there.' },
  stream_broken: { kind: 'engine', status: 502, sentence: 'The answer of the engine "{engine}" broke off: {reason}.', remedy: 'Ask again; what had arrived was charged.' },

  // Ourselves
  store_unavailable: { kind: 'fault', status: 503, sentence: 'The store cannot be written: {reason}.', remedy: 'Free disk space or repair the store; `npx headworks doctor` says which.' },
  disk_full: { kind: 'fault', status: 507, sentence: 'The disk under {path} is full.', remedy: 'Free some space; nothing acknowledged was lost.' },
  index_unavailable: { kind: 'fault', status: 503, sentence: 'The index process is not answering: {reason}.', remedy: 'It is restarted by itself; retry in a second.' },
  segment_unsound: { kind: 'fault', status: 503, sentence: 'The segment {segment} was not published: {found} of {of} sampled vectors find themselves.', remedy: 'It is built again from what the store holds; report it if it happens twice.' },
  child_died: { kind: 'fault', status: 503, sentence: 'The {what} process ended ({reason}).', remedy: 'It is restarted by itself; the work is taken up again.' },
  internal: { kind: 'fault', status: 500, sentence: 'Something went wrong inside: {reason}.', remedy: 'Report it with the request id.' },

  // Starting up
  config_invalid: { kind: 'caller', status: 400, sentence: 'The configuration {file} is not valid:\n{problems}', remedy: 'Correct the lines named; docs/configuration.md describes every field.' },
  prices_invalid: { kind: 'caller', status: 400, sentence: 'The price file {file} is not valid:\n{problems}', remedy: 'Correct the lines named; docs/real-model.md describes the file.' },
  data_in_use: { kind: 'busy', status: 503, sentence: 'The data folder {path} is in use by process {pid}.', remedy: 'Stop that process, or set HEADWORKS_DATA to another folder.' },
  port_in_use: { kind: 'busy', status: 503, sentence: 'The address {address} is in use.', remedy: 'Stop what listens there, or set HEADWORKS_LISTEN to another address.' },
  address_invalid: { kind: 'caller', status: 400, sentence: 'The address {address} cannot be listened on: {reason}.', remedy: 'Use host:port, such as 127.0.0.1:4750.' },
  certificate_unusable: { kind: 'caller', status: 400, sentence: 'The certificate {path} cannot be used: {reason}.', remedy: 'Name PEM files of a certificate chain and of its key, which this process may read.' },
  data_unusable: { kind: 'fault', status: 503, sentence: 'The data folder {path} cannot be used: {reason}.', remedy: 'Make it writable, put a backup back if it is damaged, or set HEADWORKS_DATA to another folder.' },
  server_absent: { kind: 'busy', status: 503, sentence: 'No Headworks answers at {address}.', remedy: 'Start it with `npm start`, or set HEADWORKS_LISTEN to where it runs.' },

  // Embeddings
  embedding_changed: { kind: 'caller', status: 409, sentence: 'The collection "{collection}" cannot go on with its vectors: {reason}.', remedy: 'Put the former model back, or embed the collection anew beside the present one: `npx headworks collections generations create {collection}`.' },
  memory_target: { kind: 'caller', status: 409, sentence: 'The vectors of "{collection}" need about {needMiB} MiB of memory to be searched, and `targets.memoryBytesMax` allows {limitMiB} MiB.', remedy: 'Raise the target, take a model of fewer dimensions, or keep the vectors in a server of their own (`index:`).' },
  generation_not_ready: { kind: 'caller', status: 409, sentence: 'The generation {generation} of "{collection}" cannot be taken: {reason}.', remedy: 'Look at it with `npx headworks collections generations list {collection}`.' },

  // Reading documents
  source_unreadable: { kind: 'caller', status: 422, sentence: 'The source {source} cannot be read: {reason}.', remedy: 'Correct it where it is declared, then ingest again.' },
  source_unavailable: { kind: 'busy', status: 503, sentence: 'The source {source} does not answer: {reason}.', remedy: 'Nothing was removed; it is tried again by itself, and at the next start.' },
  telemetry_full: { kind: 'busy', status: 429, sentence: 'Telemetry arrives faster than it can be kept: {limitBytes} bytes wait already.', remedy: 'Send it again after the time in `retry-after`; nothing of it was kept.' },
  ingest_full: { kind: 'busy', status: 429, sentence: 'Documents arrive faster than they can be kept: {limit} wait already.', remedy: 'Send them again after the time in `retry-after-ms`, or raise `ingest.{field}`.' },
  document_absent: { kind: 'caller', status: 422, sentence: 'The document is not there any more: {reason}.', remedy: 'Take it out of the list that names it.' },
  document_unreadable: { kind: 'caller', status: 422, sentence: 'The document cannot be read: {reason}.', remedy: 'Check that it opens in its own program, then ingest again.' },
  document_too_large: { kind: 'caller', status: 422, sentence: 'The document is larger than {limitBytes} bytes{detail}.', remedy: 'Split it.' },
  document_unsupported: { kind: 'caller', status: 422, sentence: 'Files of the type {type} cannot be read.', remedy: 'Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, CSV, JSON, EPUB, e-mail and source code can.' },
  document_empty: { kind: 'caller', status: 422, sentence: 'The document has no text{detail}.', remedy: 'A scanned document needs text recognition first.' },
  document_timeout: { kind: 'caller', status: 422, sentence: 'Reading the document took longer than {limitMs} ms.', remedy: 'Split it.' },
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof ERRORS

type Holes<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | Holes<Rest> : never

/** The details a code needs: exactly the names its sentence and remedy mention. More are
 *  welcome and travel with the error. */
export type Details<Code extends ErrorCode> = {
  readonly [Name in Holes<(typeof ERRORS)[Code]['sentence'] | (typeof ERRORS)[Code]['remedy']>]: string | number
} & { readonly [name: string]: unknown }

/** What both refusals and faults carry, and all that may be shown to a caller. */
export interface Problem {
  readonly code: ErrorCode
  readonly details: { readonly [name: string]: unknown }
}

/** An expected refusal: a value to be returned, not thrown. */
export class Refusal implements Problem {
  readonly code: ErrorCode
  readonly details: { readonly [name: string]: unknown }

  constructor(code: ErrorCode, details: { readonly [name: string]: unknown }) {
    this.code = code
    this.details = details
  }
}

export function refuse<Code extends ErrorCode>(code: Code, details: Details<Code>): Refusal {
  return new Refusal(code, details)
}

/** Something failed that should have worked: thrown, or handed to a sink. */
export class Fault extends Error implements Problem {
  readonly code: ErrorCode
  readonly details: { readonly [name: string]: unknown }

  constructor(code: ErrorCode, details: { readonly [name: string]: unknown }, cause?: unknown) {
    super('', cause === undefined ? undefined : { cause })
    this.name = 'Fault'
    this.code = code
    this.details = details
    this.message = sentenceOf(this)
  }
}

export function fault<Code extends ErrorCode>(code: Code, details: Details<Code>, cause?: unknown): Fault {
  return new Fault(code, details, cause)
}

/** Turns whatever was thrown into something with a code. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Refusal) return thrown
  return toFault(thrown)
}

/** Turns whatever was thrown into a fault. */
export function toFault(thrown: unknown): Fault {
  return thrown instanceof Fault ? thrown : fault('internal', { reason: reasonOf(thrown) }, thrown)
}

/** One line for a sentence: an error's message, else its text. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  return thrown.message !== '' ? thrown.message : code !== '' ? code : thrown.name
}

export const kindOf = (problem: Problem): ErrorKind => ERRORS[problem.code].kind
export const statusOf = (problem: Problem): number => {
  const chosen = problem.details['httpStatus']
  return typeof chosen === 'number' ? chosen : ERRORS[problem.code].status
}
export const sentenceOf = (problem: Problem): string => fill(ERRORS[problem.code].sentence, problem.details)
export const remedyOf = (problem: Problem): string => fill(ERRORS[problem.code].remedy, problem.details)

/** Whether another deployment, or the same one later, may succeed. */
export const isRetryable = (problem: Problem): boolean => {
  const kind = kindOf(problem)
  return kind === 'engine' || kind === 'busy'
}

function fill(template: string, details: { readonly [name: string]: unknown }): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? ''))
}
