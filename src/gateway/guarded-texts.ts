import type { Refusal } from '../base/errors.ts'
import type { OpenSpan } from '../trace/trace.ts'
import type { LogicalModel } from './catalogue.ts'

/** Texts on their way to a model that does not answer in text: as it may see them, or why it may not. */
export async function guardedTexts(
  { guardrails, name }: LogicalModel,
  texts: readonly string[],
  span: OpenSpan,
): Promise<readonly string[] | Refusal> {
  if (guardrails === undefined) return texts
  const guarded = guardrails.begin(
    name,
    texts.map((text) => ({ text, trusted: true })),
  )
  const looked = await guarded.input()
  if (!guarded.record.isEmpty) span.note({ guards: guarded.record.json() })
  return looked
}
