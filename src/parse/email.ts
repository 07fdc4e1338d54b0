import { Refusal, sentenceOf } from '../base/errors.ts'
import { Extract, type Extracted, headingText } from './extract.ts'
import { parseHtml } from './html.ts'
import { type Deadline, tooLong, tooSlow, unreadable } from './limits.ts'
import { contentOf, parametersOf, type Part, readMessage, textOf, wordsOf } from './mime.ts'
import { latin1 } from './sniff.ts'
import { parseText } from './text.ts'

/** Reads what is attached as a document of its own. */
export type ReadAttachment = (name: string, bytes: Uint8Array) => Promise<Extracted | Refusal>

/** A message: its subject, who wrote when to whom, its text, and what is attached, each under its
 *  name. Of several versions of the text it is the one that mail programs show. */
export async function parseEmail(
  bytes: Uint8Array,
  deadline: Deadline,
  readAttachment: ReadAttachment,
): Promise<Extracted | Refusal> {
  const source = latin1(bytes)
  const message = readMessage(source, deadline)
  if (message instanceof Refusal) return message
  const header = (name: string): string => headingText(wordsOf(message.headers.get(name) ?? ''))
  const envelope = ENVELOPE.map(([name, label]) => `${label}: ${header(name)}`).filter((line) => !line.endsWith(': '))
  if (envelope.length === 0) return unreadable('it has neither a sender nor a date')
  const extract = new Extract()
  const subject = header('subject')
  extract.add('heading', subject)
  extract.add('paragraph', envelope.join('\n'))
  const body = new Body(source, extract, deadline)
  const refused = body.read(message) ?? (await readAttachments(source, body.attachments, extract, readAttachment))
  if (refused !== undefined) return refused
  if (extract.full) return tooLong()
  if (deadline.passed()) return tooSlow(deadline)
  return { ...extract.finish(), ...(subject !== '' && { title: subject }) }
}

const ENVELOPE = [
  ['from', 'From'],
  ['to', 'To'],
  ['cc', 'Cc'],
  ['date', 'Date'],
] as const

/** The text of a message; what is not text gathers in `attachments`. */
class Body {
  readonly attachments: Part[] = []
  readonly #source: string
  readonly #extract: Extract
  readonly #deadline: Deadline

  constructor(source: string, extract: Extract, deadline: Deadline) {
    this.#source = source
    this.#extract = extract
    this.#deadline = deadline
  }

  read(part: Part): Refusal | undefined {
    if (part.type === 'multipart/alternative') {
      // The last is the richest, and what the others say nobody gets to see (RFC 2046, 5.1.4).
      const shown = part.parts.findLast(({ type }) => type === 'text/html' || type.startsWith('multipart/'))
      const best = shown ?? part.parts.find(({ type }) => type === 'text/plain') ?? part.parts.at(-1)
      return best === undefined ? undefined : this.read(best)
    }
    if (part.type.startsWith('multipart/')) {
      for (const inner of part.parts) {
        const refused = this.read(inner)
        if (refused !== undefined) return refused
      }
      return undefined
    }
    if (isFurniture(part)) return undefined
    if (isAttached(part) || (part.type !== 'text/plain' && part.type !== 'text/html')) {
      this.attachments.push(part)
      return undefined
    }
    return this.#text(part)
  }

  #text(part: Part): Refusal | undefined {
    const text = textOf(this.#source, part)
    if (part.type === 'text/html') {
      const page = parseHtml(text, this.#deadline)
      if (page instanceof Refusal) return page
      this.#extract.append(page, 1)
    } else for (const { start, end } of parseText(text)) this.#extract.add('paragraph', text.slice(start, end))
    return this.#extract.full ? tooLong() : undefined
  }
}

const dispositionOf = (part: Part) => parametersOf(part.headers.get('content-disposition') ?? '')

const isAttached = (part: Part): boolean => {
  const { value, parameters } = dispositionOf(part)
  return value === 'attachment' || parameters.has('filename')
}

/** Signatures, and pictures that stand in the text. */
const isFurniture = (part: Part): boolean =>
  /^application\/(?:pgp-signature|(?:x-)?pkcs7-signature)$/.test(part.type) ||
  (/^(?:image|audio|video)\//.test(part.type) && (part.headers.has('content-id') || !isAttached(part)))

/** Of one message. */
const ATTACHMENTS_MAX = 100

async function readAttachments(
  source: string,
  attachments: readonly Part[],
  extract: Extract,
  readAttachment: ReadAttachment,
): Promise<Refusal | undefined> {
  for (const [at, part] of attachments.slice(0, ATTACHMENTS_MAX).entries()) {
    const name = nameOf(part, at + 1)
    const read = await readAttachment(name, contentOf(source, part))
    if (read instanceof Refusal) {
      extract.note(`The attachment ${name} was left out: ${sentenceOf(read)}`)
      continue
    }
    extract.add('heading', `Attachment: ${name}`, { level: 2 })
    extract.append(read, 2)
    if (extract.full) return tooLong()
  }
  if (attachments.length > ATTACHMENTS_MAX) extract.note(`Only the first ${ATTACHMENTS_MAX} attachments were read.`)
  return undefined
}

function nameOf(part: Part, number: number): string {
  const given = dispositionOf(part).parameters.get('filename') ?? part.parameters.get('name') ?? ''
  const name = headingText(given.replace(/^.*[\\/]/s, ''))
  return name === '' ? `${number}${EXTENSIONS[part.type] ?? ''}` : name
}

/** What has no name is read by its type. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'message/rfc822': '.eml',
  'text/csv': '.csv',
  'text/markdown': '.md',
  'application/json': '.json',
}
