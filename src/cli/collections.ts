import { formatBytes, formatCount } from '../base/units.ts'
import type { Input, Run } from './command.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { answerFor } from './exchange.ts'
import { widthFor } from './style.ts'
import { table } from './text.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const answer = await answerFor(context, json, 'GET', '/api/collections')
  if (typeof answer === 'number') return answer
  const rows = listOf(answer['collections']).map((collection) => [
    textOf(collection['name']),
    formatCount(numberOf(collection['documents'])),
    formatCount(numberOf(collection['chunks'])),
    formatBytes(numberOf(collection['bytes'])),
    textOf(collection['updatedAt']).slice(0, 16).replace('T', ' '),
  ])
  if (rows.length === 0)
    context.stdout.write('There is no collection yet: headworks ingest <name> <folder> makes one.\n')
  else
    context.stdout.write(
      `${table(['COLLECTION', 'DOCUMENTS', 'PASSAGES', 'SIZE', 'CHANGED'], rows, widthFor(context.stdout), [1, 2, 3])}\n`,
    )
  return 0
}
