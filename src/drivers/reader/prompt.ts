import { sentences } from '../../base/sentences.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { readSources } from '../../engine/sources.ts'
import { textOf } from '../../meter/estimate.ts'

/** What a conversation asks, and what it gives to answer from. */
export interface Prompt {
  readonly question: string
  /** What the user asked before, the latest first: a follow-up leans on it. */
  readonly earlier: readonly string[]
  readonly texts: readonly GivenText[]
}

export interface GivenText {
  /** Of a marked source; absent where the text simply stands in the conversation, and an answer
   *  from it has nothing to cite. */
  readonly number?: number
  readonly title: string
  readonly text: string
  /** Where `text` begins in the source's text: a long one comes in parts. */
  readonly offset: number
}

/** Texts are read in parts of about this size, so that reading one never takes long at a stretch. */
const PART_UNITS_MAX = 4000

/** A longer last paragraph is a text with a question at its end. */
const QUESTION_UNITS_MAX = 1000

export interface Message {
  readonly role: string
  readonly content: string
}

/** Texts between `<source>` marks, wherever they stand. Without any: everything before the
 *  question, the last user message being a question and what it is about. */
export function readPrompt(messages: readonly Message[]): Prompt {
  const lastUser = messages.findLastIndex(({ role }) => role === 'user')
  const { question, about } = splitQuestion(withoutSources(messages[lastUser]?.content ?? ''))
  const before = messages.slice(0, Math.max(lastUser, 0))
  const earlier = before
    .filter(({ role }) => role === 'user')
    .map(({ content }) => splitQuestion(withoutSources(content)).question)
  const sources = messages
    .flatMap(({ content }) => readSources(content))
    .map(({ number, title, text }) => ({ number, title, text }))
    // They are numbered by rank, and may stand in another order.
    .sort((a, b) => a.number - b.number)
  const around = [...before.filter(({ role }) => role !== 'assistant').map(({ content }) => content), about]
  const texts =
    sources.length > 0 ? sources : around.filter((text) => text.trim() !== '').map((text) => ({ title: '', text }))
  return { question, earlier: earlier.reverse(), texts: texts.flatMap(partsOf) }
}

export const messagesOf = (body: JsonObject): Message[] =>
  (Array.isArray(body['messages']) ? (body['messages'] as readonly Json[]) : [])
    .filter(isObject)
    .map((message) => ({ role: String(message['role']), content: textOf(message['content']) }))

function withoutSources(content: string): string {
  let rest = ''
  let end = 0
  for (const source of readSources(content)) {
    rest += `${content.slice(end, source.start)}\n`
    end = source.end
  }
  return rest + content.slice(end)
}

/** Cut at an empty line where there is one, else at a line's end, else anywhere. */
function partsOf(given: Omit<GivenText, 'offset'>): GivenText[] {
  const parts: GivenText[] = []
  for (let offset = 0; offset < given.text.length;) {
    let end = Math.min(given.text.length, offset + PART_UNITS_MAX)
    if (end < given.text.length) {
      const part = given.text.slice(offset, end)
      const cut = ['\n\n', '\n', ' ']
        .map((separator) => part.lastIndexOf(separator))
        .find((at) => at > PART_UNITS_MAX / 2)
      end = cut === undefined ? end : offset + cut + 1
    }
    parts.push({ ...given, text: given.text.slice(offset, end), offset })
    offset = end
  }
  return parts
}

/** A message's question is its last paragraph; its first where only that one asks. The rest is
 *  what it asks about. */
function splitQuestion(content: string): { question: string; about: string } {
  const paragraphs = content.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== '')
  const asks = (paragraph: string | undefined): boolean => /[?？]\s*$/.test(paragraph ?? '')
  const first = paragraphs.length > 1 && asks(paragraphs[0]) && !asks(paragraphs.at(-1))
  let question = (first ? paragraphs.shift() : paragraphs.pop()) ?? ''
  if (question.length > QUESTION_UNITS_MAX) {
    const tail = question.slice(-QUESTION_UNITS_MAX)
    const start = sentences(tail).at(-1)?.start ?? 0
    paragraphs.push(question.slice(0, question.length - QUESTION_UNITS_MAX + start))
    question = tail.slice(start)
  }
  return { question: question.replace(/^\s*(?:question|q)\s*:\s*/i, '').trim(), about: paragraphs.join('\n\n') }
}
