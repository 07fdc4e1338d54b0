import type { Json } from '../base/json.ts'
import { formatBytes, formatCount } from '../base/units.ts'
import type { Input, Run } from './command.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { answerFor } from './exchange.ts'
import { widthFor } from './style.ts'
import { table } from './text.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const answer = await answerFor(context, json, 'GET', '/api/collections')
  if (typeof answer === 'number') return answer
  const collections = listOf(answer['collections'])
  const isScheduled = collections.some((collection) => textOf(collection['nextReadAt']) !== '')
  const rows = collections.map((collection) => [
    textOf(collection['name']),
    formatCount(numberOf(collection['documents'])),
    formatCount(numberOf(collection['chunks'])),
    formatBytes(numberOf(collection['bytes'])),
    minuteOf(collection['updatedAt']),
    ...(isScheduled ? [minuteOf(collection['nextReadAt']) || '-'] : []),
  ])
  const columns = ['COLLECTION', 'DOCUMENTS', 'PASSAGES', 'SIZE', 'CHANGED', ...(isScheduled ? ['READ AGAIN'] : [])]
  if (rows.length === 0)
    context.stdout.write('There is no collection yet: headworks ingest <name> <folder> makes one.\n')
  else context.stdout.write(`${table(columns, rows, widthFor(context.stdout), [1, 2, 3])}\n`)
  return 0
}

const minuteOf = (time: Json | undefined): string => textOf(time).slice(0, 16).replace('T', ' ')
