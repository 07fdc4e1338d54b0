import { posix } from 'node:path'
import { Refusal } from '../base/errors.ts'
import { type Extract, headingText } from './extract.ts'
import type { Deadline } from './limits.ts'
import { localName, readXml } from './xml.ts'
import type { Zip } from './zip.ts'

/** What the three Office formats have in common: a zip of parts that name one another by
 *  relationships (ECMA-376 part 2, Open Packaging Conventions). */

export interface Relationship {
  readonly id: string
  /** The last word of its type: `slide`, `worksheet`. */
  readonly kind: string
  /** The part's name in the archive. */
  readonly target: string
}

/** What a part refers to inside the archive; references to the outside are left out. */
export function relationshipsOf(zip: Zip, part: string, deadline: Deadline): Relationship[] | Refusal {
  const folder = posix.dirname(part)
  const source = zip.text(`${folder}/_rels/${posix.basename(part)}.rels`)
  if (source instanceof Refusal) return source
  const found: Relationship[] = []
  const refused = readXml(
    source ?? '',
    {
      open(name, { Id = '', Type = '', Target = '', TargetMode = '' }) {
        if (localName(name) !== 'Relationship' || TargetMode === 'External') return
        const target = Target.startsWith('/') ? Target.slice(1) : posix.join(folder, Target)
        found.push({ id: Id, kind: Type.slice(Type.lastIndexOf('/') + 1), target })
      },
      close() {},
    },
    deadline,
  )
  return refused ?? found
}

/** The title among the document's properties; empty where there is none. */
export function coreTitle(zip: Zip): string | Refusal {
  const core = zip.text('docProps/core.xml')
  if (core instanceof Refusal) return core
  const title = /<dc:title>([^<]{1,1000})<\/dc:title>/.exec(core ?? '')?.[1] ?? ''
  return headingText(
    title.replace(
      /&(lt|gt|quot|apos|amp);/g,
      (_, name: string) => ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' })[name] ?? '',
    ),
  )
}

export function noteMacros(zip: Zip, extract: Extract): void {
  if (MACROS.some((part) => zip.has(part))) extract.note('Its macros were ignored.')
}

const MACROS = ['word/vbaProject.bin', 'xl/vbaProject.bin', 'ppt/vbaProject.bin']
