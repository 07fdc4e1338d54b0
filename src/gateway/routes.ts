import { Refusal } from '../base/errors.ts'
import { type Json, type JsonLimits, parseJson } from '../base/json.ts'
import type { Operation } from '../engine/port.ts'
import type { Catalogue } from './catalogue.ts'
import { servingPath } from './passthrough.ts'
import { ANTHROPIC, type CountRequest, readCountRequest, readMessagesRequest } from './surface/anthropic.ts'
import { readCompletionRequest } from './surface/completions.ts'
import type { ChatRequest, Dialect } from './surface/dialect.ts'
import {
  type EmbeddingsRequest,
  OPENAI,
  readChatRequest,
  readEmbeddingsRequest,
  readRerankRequest,
  type RerankRequest,
} from './surface/openai.ts'
import { type PassedRequest, passedOperation, readPassedRequest } from './surface/passed.ts'
import { readResponsesRequest } from './surface/responses.ts'

/** What is served at which path, and how its body is read. */

export type Asked = ChatRequest | RerankRequest | EmbeddingsRequest | PassedRequest

export interface Route {
  readonly operation: Operation
  /** What is asked, and the body in which it names whom it is for. */
  read(sent: Sent): { readonly asked: Asked | CountRequest; readonly named: Json } | Refusal
}

export interface Sent {
  readonly bytes: Uint8Array
  readonly contentType: string | undefined
  readonly limits: JsonLimits
}

const inJson = (operation: Operation, read: (body: Json) => Asked | CountRequest | Refusal): Route => ({
  operation,
  read({ bytes, limits }) {
    const body = parseJson(bytes, limits)
    if (body instanceof Refusal) return body
    const asked = read(body)
    return asked instanceof Refusal ? asked : { asked, named: 'body' in asked ? asked.body : body }
  },
})

const ROUTES: ReadonlyMap<string, Route> = new Map([
  ['/v1/chat/completions', inJson('chat', readChatRequest)],
  ['/v1/completions', inJson('chat', readCompletionRequest)],
  ['/v1/responses', inJson('chat', readResponsesRequest)],
  ['/v1/messages', inJson('chat', readMessagesRequest)],
  ['/v1/messages/count_tokens', inJson('chat', readCountRequest)],
  ['/v1/rerank', inJson('rerank', readRerankRequest)],
  ['/v1/embeddings', inJson('embed', readEmbeddingsRequest)],
])

/** Known whether or not any engine serves them. */
const PASSED: ReadonlySet<string> = new Set([
  '/moderations',
  '/images/generations',
  '/images/edits',
  '/images/variations',
  '/audio/speech',
  '/audio/transcriptions',
  '/audio/translations',
])

export function routeAt(path: string, catalogue: Catalogue): Route | undefined {
  const known = ROUTES.get(path)
  if (known !== undefined || !path.startsWith('/v1/')) return known
  const below = path.slice('/v1'.length)
  const isServed = PASSED.has(below) || catalogue.values().some((model) => servingPath(model, below) !== undefined)
  if (!isServed) return undefined
  return {
    operation: passedOperation(below),
    read({ bytes, contentType, limits }) {
      const asked = readPassedRequest(below, contentType, bytes, limits)
      return asked instanceof Refusal ? asked : { asked, named: asked.named }
    },
  }
}

/** In which errors are told, also those of requests that are not read. */
export const dialectAt = (target: string): Dialect => (/^\/v1\/messages(?:[/?]|$)/.test(target) ? ANTHROPIC : OPENAI)
