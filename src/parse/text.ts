import { isUtf8 } from 'node:buffer'
import { refuse, type Refusal } from '../base/errors.ts'
import type { Block } from './document.ts'
import { unreadable } from './limits.ts'
import { latin1 } from './sniff.ts'

/** Bytes to characters: a byte order mark decides, else UTF-8, else what an HTML page declares,
 *  else Windows-1252 if the result looks like writing. Never a guess that yields garbage. */
export function decode(bytes: Uint8Array): string | Refusal {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return utf16(bytes, 'utf-16le')
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return utf16(bytes, 'utf-16be')
  if (bytes.includes(0)) return refuse('document_unsupported', { type: 'binary data' })
  // The decoder drops a UTF-8 byte order mark.
  const text = isUtf8(bytes) ? new TextDecoder().decode(bytes) : decodeOther(bytes)
  if (typeof text === 'string' && isControlHeavy(text)) return refuse('document_unsupported', { type: 'binary data' })
  return text
}

function utf16(bytes: Uint8Array, label: string): string | Refusal {
  const text = new TextDecoder(label).decode(bytes)
  if (isControlHeavy(text)) return refuse('document_unsupported', { type: 'binary data' })
  // U+0000 is legal here, but no store and no reader has a use for it.
  return text.includes('\0') ? text.replaceAll('\0', ' ') : text
}

/** A few bad bytes in a text that is otherwise UTF-8 are damage; many are another encoding. */
const DAMAGE_SHARE_MAX = 0.1
/** Bytes over 0x7f: Western European prose has up to 10 %, all-caps Finnish less than 20 %. */
const HIGH_SHARE_MAX = 0.3

function decodeOther(bytes: Uint8Array): string | Refusal {
  const declared = /<meta[^>]+charset\s*=\s*["']?([\w-]{2,20})/i.exec(latin1(bytes.subarray(0, 1024)))?.[1]
  if (declared !== undefined && !/^utf-?8$/i.test(declared)) {
    try {
      return new TextDecoder(declared).decode(bytes)
    } catch {
      // A label nobody knows: judge by the bytes.
    }
  }
  const asUtf8 = new TextDecoder().decode(bytes)
  const damaged = count(asUtf8, /\ufffd/g)
  const foreign = count(asUtf8, /[^\x00-\x7f\ufffd]/g)
  if (damaged <= foreign * DAMAGE_SHARE_MAX) return asUtf8
  const high = count(latin1(bytes), /[\x80-\xff]/g)
  // Five bytes have no character in Windows-1252; writing does not contain them.
  const undefinedBytes = count(latin1(bytes), /[\x81\x8d\x8f\x90\x9d]/g)
  if (undefinedBytes > 0 || high > bytes.length * HIGH_SHARE_MAX) {
    return unreadable('its encoding is neither UTF-8 nor UTF-16 nor Windows-1252')
  }
  return new TextDecoder('windows-1252').decode(bytes)
}

const count = (text: string, pattern: RegExp): number => {
  let found = 0
  while (pattern.exec(text) !== null) found++
  return found
}

const CONTROL_SAMPLE_UNITS = 65_536

/** Control characters other than tab, line ends, form feed, backspace and escape (coloured logs)
 *  do not occur in writing. */
function isControlHeavy(text: string): boolean {
  const sample = text.slice(0, CONTROL_SAMPLE_UNITS)
  return count(sample, /[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\ufffe\uffff]/g) > sample.length * 0.01
}

/** Plain text: paragraphs between blank lines. */
export function parseText(text: string): Block[] {
  const blocks: Block[] = []
  const gap = /(?:\r\n?|\n)[^\S\r\n]*(?:\r\n?|\n)\s*/g
  let start = /^\s*/.exec(text)?.[0].length ?? 0
  while (start < text.length) {
    gap.lastIndex = start
    const blank = gap.exec(text)
    const end = blank === null ? trimmedEnd(text, text.length) : blank.index
    if (end > start) blocks.push({ kind: 'paragraph', start, end })
    if (blank === null) break
    start = gap.lastIndex
  }
  return blocks
}

function trimmedEnd(text: string, end: number): number {
  while (end > 0 && text.charCodeAt(end - 1) <= 0x20) end--
  return end
}
