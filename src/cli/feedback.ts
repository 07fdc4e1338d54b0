import type { Json } from '../base/json.ts'
import type { Run } from './command.ts'
import { answerFor } from './exchange.ts'
import { textOf } from './fields.ts'
import { oneLine } from './text.ts'

interface Asked {
  readonly words: { readonly id: string }
  readonly flags: { readonly [Name in 'name' | 'value' | 'span' | 'comment' | 'correction']: string | undefined }
  readonly json: boolean
}

export const run: Run<Asked> = async ({ words, flags, json }, context) => {
  const { value, ...rest } = flags
  const body = { trace: words.id, ...rest, ...(value === undefined ? {} : { value: valueOf(value) }) }
  const answer = await answerFor(context, json, 'POST', '/api/feedback', body)
  if (typeof answer === 'number') return answer
  context.stdout.write(`Noted as ${oneLine(textOf(answer['id']))}.\n`)
  return 0
}

/** As it is written: a number, a boolean, or else a category. */
function valueOf(text: string): Json {
  if (text === 'true' || text === 'false') return text === 'true'
  const number = Number(text)
  return text.trim() !== '' && Number.isFinite(number) ? number : text
}
