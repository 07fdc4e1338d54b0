import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Analyzer } from '../../base/words.ts'
import type { CallModel, RerankWith } from '../../engine/port.ts'
import type { TextTokenizer } from '../../meter/tokenizer/tokenizer.ts'
import type { Search } from '../search.ts'

/** What a workflow works with. */
export interface WorkflowDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly analyzer: Analyzer
  readonly search: Search
  readonly callModel: CallModel
  readonly rerank: RerankWith
  /** What the deployments of a model count with; never none. */
  readonly tokenizersOf: (model: string) => readonly TextTokenizer[]
  /** One sentence for an answer that nothing was found for: whether the collection is empty, is
   *  being read, or just holds nothing about it. */
  readonly explainNothing: (collection: string) => Promise<string>
  /** What the prompt of this name says now, and which version that is. Rejects with a `Fault`. Absent: there
   *  are no prompts. */
  readonly instructionsOf?: (prompt: string) => Promise<{ readonly instructions: string; readonly prompt: string }>
}
