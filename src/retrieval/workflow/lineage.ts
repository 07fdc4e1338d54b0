import type { JsonObject } from '../../base/json.ts'
import { generationOf } from '../generation/row.ts'
import type { Legs, Passage } from '../passage.ts'
import { hashOf, promptVersionOf, type WorkflowSpec } from './spec.ts'

/** Where an answer comes from, as the journal keeps it: enough to tell, whatever becomes of the
 *  documents, what the model was shown and what showed it. Texts are kept as their hashes. */
export interface Shown {
  readonly spec: WorkflowSpec
  readonly version: string
  /** What was searched for. */
  readonly question: string
  readonly rewrite: JsonObject
  readonly found: number
  readonly evidence: number
  readonly context: JsonObject
  /** In the order of their numbers. */
  readonly passages: readonly Passage[]
}

export const lineageOf = ({
  spec,
  version,
  question,
  rewrite,
  found,
  evidence,
  context,
  passages,
}: Shown): JsonObject => ({
  workflow: spec.name,
  version,
  collection: spec.collection,
  promptVersion: promptVersionOf(spec),
  ...(spec.prompt === undefined ? {} : { prompt: spec.prompt }),
  model: spec.model,
  question: { hash: hashOf(question), ...rewrite },
  search: { k: spec.topK, found, evidence, evidenceMin: spec.evidenceMin, rerank: spec.rerank ?? null },
  context,
  generations: [...new Set(passages.flatMap(({ segment }) => (segment === undefined ? [] : generationOf(segment))))],
  segments: [...new Set(passages.flatMap(({ segment }) => segment ?? []))],
  passages: passages.map(passageJson),
})

const passageJson = (passage: Passage, at: number): JsonObject => ({
  number: at + 1,
  document: passage.document,
  uri: passage.uri,
  start: passage.start,
  end: passage.end,
  textHash: hashOf(passage.text),
  contentHash: passage.contentHash ?? null,
  segment: passage.segment ?? null,
  score: passage.score,
  ...(passage.legs === undefined ? {} : { legs: legsJson(passage.legs) }),
  ...(passage.trust === undefined ? {} : { trust: passage.trust }),
})

const legsJson = (legs: Legs): JsonObject =>
  Object.fromEntries(Object.entries(legs).map(([leg, { score, rank }]) => [leg, { score, rank }]))
