import { Refusal, sentenceOf } from '../base/errors.ts'
import { isObject, type JsonLimits, type JsonObject, parseJson } from '../base/json.ts'
import type { Endpoint, LineProblem } from './batch.ts'
import type { Line } from './lines.ts'

/** What the lines of an input file ask, and what is wrong with those that ask nothing. */

export interface Asked {
  readonly customId: string
  readonly model: string
  readonly body: JsonObject
}

/** As OpenAI has it. */
const LINES_MAX = 50_000
const CUSTOM_ID_UNITS_MAX = 512
/** Told of one file. */
const PROBLEMS_MAX = 100

/** One line by itself. */
export function readLine({ number: line, bytes }: Line, endpoint: Endpoint, limits: JsonLimits): Asked | LineProblem {
  const invalid = (code: string, message: string, param?: string): LineProblem => ({
    code,
    message,
    line,
    ...(param === undefined ? {} : { param }),
  })
  if (bytes === undefined) return invalid('line_too_large', `The line has more than ${limits.bytesMax} bytes.`)
  const value = parseJson(bytes, limits)
  if (value instanceof Refusal) return invalid('invalid_json_line', sentenceOf(value))
  if (!isObject(value)) return invalid('invalid_json_line', 'The line is no JSON object.')
  const { custom_id: customId, method, url, body } = value
  if (typeof customId !== 'string' || customId === '' || customId.length > CUSTOM_ID_UNITS_MAX)
    return invalid(
      'invalid_custom_id',
      `\`custom_id\` must be a text of 1 to ${CUSTOM_ID_UNITS_MAX} characters.`,
      'custom_id',
    )
  if (method !== 'POST') return invalid('invalid_method', '`method` must be "POST".', 'method')
  if (url !== endpoint)
    return invalid('mismatched_endpoint', `\`url\` must be the endpoint of the batch, "${endpoint}".`, 'url')
  if (!isObject(body)) return invalid('invalid_body', '`body` must be an object.', 'body')
  const { model } = body
  if (typeof model !== 'string' || model === '')
    return invalid('invalid_body', '`body.model` must be the name of a model.', 'body.model')
  if (body['stream'] === true || body['background'] === true) {
    const field = body['stream'] === true ? 'stream' : 'background'
    return invalid('invalid_body', `\`body.${field}\` must not be true: the answer goes into a file.`, `body.${field}`)
  }
  return { customId, model, body }
}

/** What a whole file asks. */
export interface Checked {
  readonly total: number
  readonly model: string | undefined
  readonly problems: readonly LineProblem[]
}

/** Every line for itself, and all of them together: no id twice, no more than there may be. */
export async function checkLines(
  lines: AsyncIterable<Line>,
  endpoint: Endpoint,
  limits: JsonLimits,
  signal: AbortSignal,
): Promise<Checked> {
  const ids = new Map<string, number>()
  const problems: LineProblem[] = []
  let total = 0
  let first: string | undefined
  for await (const line of lines) {
    if (signal.aborted || problems.length === PROBLEMS_MAX) break
    if (++total > LINES_MAX) {
      problems.push({
        code: 'too_many_lines',
        message: `The file has more than ${LINES_MAX} lines.`,
        line: line.number,
      })
      break
    }
    const asked = readLine(line, endpoint, limits)
    if ('code' in asked) {
      problems.push(asked)
      continue
    }
    const former = ids.get(asked.customId)
    if (former !== undefined)
      problems.push({
        code: 'duplicate_custom_id',
        message: `\`custom_id\` is that of line ${former}, too.`,
        line: line.number,
        param: 'custom_id',
      })
    ids.set(asked.customId, line.number)
    first ??= asked.model
  }
  if (total === 0) problems.push({ code: 'empty_file', message: 'The file has no line.' })
  return { total, model: first, problems }
}
