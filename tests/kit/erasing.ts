import { EmbeddingCache } from '../../src/retrieval/embedding/cache.ts'
import { Contexts } from '../../src/retrieval/embedding/context.ts'
import { Derived } from '../../src/retrieval/deletion/derived.ts'
import type { DeletionDependencies } from '../../src/retrieval/deletion/receipts.ts'

/** What a deletion reaches besides rows and index, where there is nothing to be reached. */
export function nothingDerived({
  rows,
  index,
  analyzer,
  clock,
}: Pick<DeletionDependencies, 'rows' | 'index' | 'analyzer' | 'clock'>): Pick<
  DeletionDependencies,
  'derived' | 'forgetAnswers' | 'erase' | 'forgetWords' | 'scrub'
> {
  const askWith = (): Promise<string> => Promise.reject(new Error('no model is asked'))
  return {
    derived: new Derived({
      rows,
      index,
      analyzer,
      embeddings: new EmbeddingCache(rows),
      contexts: new Contexts({ rows, clock, askWith }),
      prefixesOf: async () => [''],
    }),
    forgetAnswers: async () => 0,
    erase: async () => {},
    forgetWords: async () => {},
    scrub: async () => true,
  }
}
