import { type Problem, statusOf } from '../base/errors.ts'
import type { Headers, Reply } from '../base/http.ts'
import type { Json } from '../base/json.ts'
import { type Dialect, retryHeaders } from './surface/dialect.ts'
import { OPENAI } from './surface/openai.ts'

/** Whole answers in JSON, refusals included. Every one carries the request's id. */

export function sendJson(reply: Reply, requestId: string, status: number, value: Json, headers: Headers = {}): void {
  reply.head(status, { 'content-type': 'application/json; charset=utf-8', 'x-request-id': requestId, ...headers })
  reply.end(JSON.stringify(value))
}

export function sendProblem(reply: Reply, requestId: string, problem: Problem, dialect: Dialect = OPENAI): void {
  sendJson(reply, requestId, statusOf(problem), dialect.errorBody(problem, requestId), {
    ...retryHeaders(problem),
    ...dialect.headers(requestId),
  })
}
