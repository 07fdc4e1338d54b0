import { Parser } from 'htmlparser2'
import type { Refusal } from '../base/errors.ts'
import type { Extract } from './extract.ts'
import { NESTING_MAX, SLICE_UNITS, tooDeep, tooLong, tooSlow, unreadable, type Deadline } from './limits.ts'

export type Attributes = { readonly [name: string]: string }

export interface XmlHandler {
  readonly extract?: Extract
  open(name: string, attributes: Attributes): void
  close(name: string): void
  text?(text: string): void
}

/** Drives a handler over XML within the limits. A document type declaration is refused: Office
 *  Open XML forbids it, EPUB packages need none, and entity bombs and external entities live
 *  there. The parser knows the five entities of XML and no others. */
export function readXml(source: string, handler: XmlHandler, deadline: Deadline): Refusal | undefined {
  let depth = 0
  let depthMax = 0
  let declares = false
  const parser = new Parser(
    {
      onopentag: (name, attributes) => {
        if (++depth > depthMax) depthMax = depth
        if (depth <= NESTING_MAX) handler.open(name, attributes)
      },
      onclosetag: (name) => {
        if (depth-- <= NESTING_MAX) handler.close(name)
      },
      ontext: (text) => handler.text?.(text),
      onprocessinginstruction: (name) => {
        if (/^!doctype/i.test(name)) declares = true
      },
    },
    { xmlMode: true },
  )
  for (let at = 0; at < source.length; at += SLICE_UNITS) {
    parser.write(source.slice(at, at + SLICE_UNITS))
    if (declares) return unreadable('it declares a document type, which no such document needs')
    if (depthMax > NESTING_MAX) return tooDeep()
    if (handler.extract?.full) return tooLong()
    if (deadline.passed()) return tooSlow(deadline)
  }
  parser.end()
  return undefined
}

/** A name without its namespace prefix, which is each writer's own choice. */
export const localName = (name: string): string => name.slice(name.indexOf(':') + 1)
