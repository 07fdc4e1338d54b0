import type { Analyzer } from '../../base/words.ts'
import { type Answer, Composer } from './compose.ts'
import type { GivenText, Prompt } from './prompt.ts'
import { readQuestion } from './question.ts'
import { type Breathe, Judge, type Scored } from './score.ts'
import { type Unit, unitsOf } from './units.ts'

/** How much of the question a sentence and its surroundings must speak of. */
const COVERED_MIN = 0.5

/** Answers with sentences of the given texts, or says that none does. */
export async function answerFrom(
  analyzer: Analyzer,
  { question, earlier, texts }: Prompt,
  breathe: Breathe,
): Promise<Answer> {
  if (texts.length === 0)
    return silence(
      'There is nothing to answer from: this engine only quotes the text it is given, and it was given none.',
    )
  if (question === '') return silence('There is no question to answer.')
  const units: Unit[] = []
  for (const [number, text] of texts.entries()) {
    for (const unit of unitsOf(analyzer, text, number, units.length)) units.push(unit)
    await breathe()
  }
  const asked = readQuestion(analyzer, question, earlier)
  const judge = await Judge.open(analyzer, asked, units, breathe)
  const ranked: Scored[] = []
  for (const [at, unit] of units.entries()) {
    const scored = judge.judge(at, rawOf(texts, unit))
    if (scored !== undefined) ranked.push(scored)
    if (at % 64 === 63) await breathe()
  }
  await breathe()
  ranked.sort((a, b) => b.score - a.score)
  const answering = ranked.filter(({ covered, score }) => covered >= COVERED_MIN && score > 0)
  if (answering.length === 0) return silence('The sources do not answer this question.')
  return new Composer(texts, units, asked).compose([
    ...answering.slice(0, 1),
    ...ranked.filter((one) => one !== answering[0]),
  ])
}

const rawOf = (texts: readonly GivenText[], { text, start, end }: Unit): string =>
  texts[text]?.text.slice(start, end) ?? ''

const silence = (text: string): Answer => ({ answered: false, text, quotes: [] })
