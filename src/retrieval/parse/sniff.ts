import { refuse, type Refusal } from '../../base/errors.ts'
import { unreadable } from './limits.ts'

export type Format = 'markdown' | 'text' | 'html' | 'pdf' | 'docx'

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  markdown: 'text/markdown',
  text: 'text/plain',
  html: 'text/html',
  pdf: 'application/pdf',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
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

/** The kind of file by its first bytes. `text` means: no magic number, look at the characters. */
export function sniffBytes(bytes: Uint8Array, name: string): 'pdf' | 'zip' | 'text' | Refusal {
  const head = latin1(bytes.subarray(0, PDF_HEADER_WITHIN_BYTES))
  if (head.startsWith('PK\x03\x04')) return 'zip'
  for (const [signature, type] of FOREIGN)
    if (head.startsWith(signature)) return refuse('document_unsupported', { type })
  if (head.startsWith('%PDF-')) return 'pdf'
  const extension = extensionOf(name)
  // Further in, the mark is a PDF's only where nothing speaks for text that merely mentions it.
  if (head.includes('%PDF-') && (extension === 'pdf' || head.includes('\0'))) return 'pdf'
  if (extension === 'pdf') return unreadable('it is named .pdf but does not begin like a PDF')
  if (extension === 'docx') return unreadable('it is named .docx but is not a zip archive')
  return 'text'
}

/** The kind of text. What stands in the file decides over what it is called. */
export function sniffText(text: string, name: string): 'markdown' | 'text' | 'html' {
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
    default:
      return 'text'
  }
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? '' : name.slice(dot + 1).toLowerCase()
}

export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
