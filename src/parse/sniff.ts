import { refuse, type Refusal } from '../base/errors.ts'
import { unreadable } from './limits.ts'

export type Format =
  | 'markdown'
  | 'text'
  | 'html'
  | 'pdf'
  | 'docx'
  | 'pptx'
  | 'xlsx'
  | 'epub'
  | 'csv'
  | 'tsv'
  | 'json'
  | 'jsonl'
  | 'email'
  | 'code'

const OPEN_XML = 'application/vnd.openxmlformats-officedocument'

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  markdown: 'text/markdown',
  text: 'text/plain',
  html: 'text/html',
  pdf: 'application/pdf',
  docx: `${OPEN_XML}.wordprocessingml.document`,
  pptx: `${OPEN_XML}.presentationml.presentation`,
  xlsx: `${OPEN_XML}.spreadsheetml.sheet`,
  epub: 'application/epub+zip',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  json: 'application/json',
  jsonl: 'application/jsonl',
  email: 'message/rfc822',
  code: 'text/plain',
}

/** First bytes of what is certainly none of our formats, and its name for the refusal. */
const FOREIGN: readonly (readonly [signature: string, type: string])[] = [
  ['\x89PNG', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['GIF8', 'image/gif'],
  ['RIFF', 'RIFF (audio, video or WebP)'],
  ['\x1f\x8b', 'application/gzip'],
  ['BZh', 'application/x-bzip2'],
  ['\xfd7zXZ', 'application/x-xz'],
  ['\x28\xb5\x2f\xfd', 'application/zstd'],
  ['7z\xbc\xaf', 'application/x-7z-compressed'],
  ['\x7fELF', 'application/x-elf'],
  ['MZ\x90', 'application/x-msdownload'],
  ['\xd0\xcf\x11\xe0', 'application/msword or another Office file from before 2007'],
  ['{\\rtf', 'application/rtf'],
  ['SQLite format 3', 'application/vnd.sqlite3'],
  ['%!PS', 'application/postscript'],
]

/** A PDF may be preceded by rubbish of this many bytes (ISO 32000-1, annex H, note 13). */
const PDF_HEADER_WITHIN_BYTES = 1024

/** Of formats that are zip archives. */
const ARCHIVES = /^(?:docx|docm|pptx|pptm|xlsx|xlsm|epub)$/

/** The kind of file by its first bytes. `text` means: no magic number, look at the characters. */
export function sniffBytes(bytes: Uint8Array, name: string): 'pdf' | 'zip' | 'email' | 'text' | Refusal {
  const head = latin1(bytes.subarray(0, PDF_HEADER_WITHIN_BYTES))
  if (head.startsWith('PK\x03\x04')) return 'zip'
  for (const [signature, type] of FOREIGN)
    if (head.startsWith(signature)) return refuse('document_unsupported', { type })
  if (head.startsWith('%PDF-')) return 'pdf'
  const extension = extensionOf(name)
  // Further in, the mark is a PDF's only where nothing speaks for text that merely mentions it.
  if (head.includes('%PDF-') && (extension === 'pdf' || head.includes('\0'))) return 'pdf'
  if (extension === 'pdf') return unreadable('it is named .pdf but does not begin like a PDF')
  if (ARCHIVES.test(extension)) return unreadable(`it is named .${extension} but is not a zip archive`)
  if (isMessage(head)) return 'email'
  if (extension === 'eml') return unreadable('it is named .eml but does not begin like a message')
  return 'text'
}

/** The kind of text. What stands in the file decides over what it is called. */
export function sniffText(text: string, name: string): 'markdown' | 'text' | 'html' | 'csv' | 'tsv' | 'json' | 'jsonl' {
  const head = text.slice(0, 2048)
  if (/^\s*(?:<!--[^]*?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype\s+html|html)[\s>]/i.test(head)) return 'html'
  switch (extensionOf(name)) {
    case 'md':
    case 'markdown':
    case 'mdx':
    case 'mkd':
      return 'markdown'
    case 'html':
    case 'htm':
    case 'xhtml':
      return /<[a-z][^>]*>/i.test(text.slice(0, 65_536)) ? 'html' : 'text'
    case 'csv':
      return 'csv'
    case 'tsv':
    case 'tab':
      return 'tsv'
    case 'json':
    case 'jsonc':
    case 'geojson':
    case 'webmanifest':
      return 'json'
    case 'jsonl':
    case 'ndjson':
      return 'jsonl'
    default:
      return 'text'
  }
}

/** Lines that a message begins with and that say something of its way. */
const MESSAGE_HEADERS =
  /^(?:return-path|received|delivered-to|from|to|cc|subject|date|message-id|mime-version|reply-to|content-type|x-[\w-]+|dkim-signature|arc-[\w-]+|authentication-results|received-spf|in-reply-to|references|sender|list-[\w-]+|content-transfer-encoding|user-agent|thread-[\w-]+|importance|auto-submitted|bcc):/i

/** Whether a file begins with lines of a message's header, at least three, one of which only
 *  messages have; a letter that begins `To:` is a letter. */
function isMessage(head: string): boolean {
  const lines = head.split(/\r?\n/).slice(0, -1)
  let found = 0
  let sure = false
  for (const line of lines) {
    if (line === '') break
    if (/^[ \t]/.test(line) && found > 0) continue
    if (!MESSAGE_HEADERS.test(line)) {
      // Of headers that nobody listed, one says nothing.
      if (!/^[\w-]{2,60}:/.test(line)) return false
      continue
    }
    found++
    if (/^(?:received|message-id|mime-version|return-path|delivered-to|date):/i.test(line)) sure = true
  }
  return found >= 3 && sure
}

export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? '' : name.slice(dot + 1).toLowerCase()
}

export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
