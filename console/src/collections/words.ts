import type { Embedding, Recall } from '../api/collections.ts'
import { formatCount, formatShare } from '../design/units.ts'

/** What collections are and how they fare, in words. */

/** The server's name for directions that were fitted on the collection itself. */
const LSA = 'lsa'

/** What makes vectors of its passages. What is no learned model is not to be taken for one. */
export function spaceText(embedding: Embedding | undefined): string {
  if (embedding === undefined) return 'words alone, no vectors'
  const { model, revision, dimension } = embedding
  if (model === LSA) return `corpus-fitted LSA, ${formatCount(dimension)} directions, no learned model`
  return `${model}${revision === '' ? '' : ` (${revision})`}, ${formatCount(dimension)} dimensions`
}

/** As a generation names it: what it is to be embedded with. */
export function modelText(model: string): string {
  if (model === LSA) return 'corpus-fitted LSA, no learned model'
  return model === 'none' || model === '' ? 'words alone' : model
}

/** Of what a filter lets through. */
export function selectivityText(selectivity: string): string {
  const [from = '', to = ''] = selectivity.split('..')
  if (to === '100') return `no filter, or one that lets ${from} % or more through`
  if (from === '0') return `filters that let less than ${to} % through`
  return to === '' ? selectivity : `filters that let ${from} to ${to} % through`
}

/** Whether a target is met, as far as the interval lets one say. */
export function verdictOf({ mean, low, high, queries }: Recall, target: number | undefined): Verdict {
  if (mean === undefined || queries === 0) return 'unmeasured'
  if (target === undefined) return 'unsure'
  if (high < target) return 'missed'
  return low >= target ? 'met' : 'unsure'
}

export type Verdict = 'met' | 'missed' | 'unsure' | 'unmeasured'

export const VERDICTS: { readonly [V in Verdict]: string } = {
  met: 'met',
  missed: 'missed',
  unsure: 'too few queries to say',
  unmeasured: 'nothing measured',
}

export const TONES: { readonly [V in Verdict]: 'good' | 'danger' | undefined } = {
  met: 'good',
  missed: 'danger',
  unsure: undefined,
  unmeasured: undefined,
}

const formatRecall = (share: number): string => share.toFixed(3)

/** `0.973 (0.951 to 0.985, n = 212)`. */
export function recallText({ mean, low, high, queries }: Recall): string {
  if (mean === undefined) return 'not measured'
  return `${formatRecall(mean)} (${formatRecall(low)} to ${formatRecall(high)}, n = ${formatCount(queries)})`
}

/** The one that says most: of the most queries. */
export const mostMeasured = (recalls: readonly Recall[]): Recall | undefined =>
  recalls.filter(({ queries }) => queries > 0).toSorted((a, b) => b.queries - a.queries)[0]

/** Never rounded to the whole while something lacks. */
export function completenessText({ chunks, searchable }: { chunks: number; searchable: number }): string {
  if (chunks === 0) return 'nothing to search'
  if (searchable >= chunks) return 'all of it'
  const share = searchable / chunks
  return share > 0.99 ? '>99 %' : formatShare(share)
}

const PLACES: { readonly [place: string]: string } = {
  documentRow: 'list of documents',
  chunkRows: 'passages',
  fullText: 'full text',
  vectors: 'vectors',
  bytes: 'files of the index',
  answerCache: 'answer cache',
  embeddingCache: 'embedding cache',
  store: 'pages of the database',
  backups: 'backups',
}

export const placeText = (place: string): string => PLACES[place] ?? place

export const toneOfTrust = (trust: string): 'good' | 'caution' | undefined =>
  trust === 'trusted' ? 'good' : trust === 'untrusted' ? 'caution' : undefined

/** Directions are fitted once there are texts enough. */
export const fittedText = (model: string, embedding: Embedding | undefined): string =>
  model === LSA && embedding === undefined
    ? `${modelText(model)}; too few passages to fit it yet, so by words alone`
    : modelText(model)
