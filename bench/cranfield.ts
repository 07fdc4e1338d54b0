import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The Cranfield collection (Cleverdon 1967): 1,400 abstracts, 225 questions, and for each
 *  question which abstracts answer it. Its folder is not part of the project. */
export interface Cranfield {
  readonly documents: readonly { readonly id: string; readonly text: string }[]
  readonly questions: readonly { readonly text: string; readonly relevant: ReadonlySet<string> }[]
}

export async function readCranfield(folder: string): Promise<Cranfield> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'latin1')
  const documents = records(await read('cran.all.1400')).map(({ id, fields }) => ({
    id,
    text: `${fields.get('T') ?? ''}\n${fields.get('W') ?? ''}`,
  }))
  const relevant = new Map<number, Set<string>>()
  for (const line of (await read('cranqrel')).split('\n')) {
    const [question, document, grade] = line.trim().split(/\s+/)
    if (document === undefined || Number(grade) <= 0) continue
    const set = relevant.get(Number(question)) ?? new Set()
    relevant.set(Number(question), set.add(document))
  }
  // A question's number is its place in the file, not what its `.I` line says.
  const questions = records(await read('cran.qry')).flatMap(({ fields }, at) => {
    const set = relevant.get(at + 1)
    return set === undefined ? [] : [{ text: fields.get('W') ?? '', relevant: set }]
  })
  return { documents, questions }
}

/** nDCG with binary gains and a log2 discount over the first `depth` answers. */
export function ndcg(ranked: readonly string[], relevant: ReadonlySet<string>, depth: number): number {
  const discount = (at: number): number => 1 / Math.log2(at + 2)
  let gain = 0
  for (const [at, id] of ranked.slice(0, depth).entries()) if (relevant.has(id)) gain += discount(at)
  let ideal = 0
  for (let at = 0; at < Math.min(depth, relevant.size); at++) ideal += discount(at)
  return gain / ideal
}

function records(file: string): { id: string; fields: Map<string, string> }[] {
  return file
    .split(/^\.I /m)
    .slice(1)
    .map((record) => {
      const [id = '', ...parts] = record.split(/^\.([TABW])\s*\n/m)
      const fields = new Map<string, string>()
      for (let at = 0; at < parts.length; at += 2) fields.set(parts[at] ?? '', parts[at + 1] ?? '')
      return { id: String(Number(id)), fields }
    })
}
