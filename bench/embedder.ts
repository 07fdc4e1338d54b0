/** A model server as a process of its own, so that its CPU is counted apart. Texts lie in clusters as
 *  embeddings of texts do, by their hash alone: where vectors lie anyhow no graph finds them. Run as
 *  `embedder.ts <dimension>`; prints its port. */
import { createHash } from 'node:crypto'
import { seedOf, startHashedEmbeddings } from '../tests/kit/hashed-embeddings.ts'
import { Corpus } from './scale/corpus.ts'

const dimension = Number(process.argv[2] ?? 384)
const corpus = new Corpus(dimension)
const { url } = await startHashedEmbeddings(dimension, (text) =>
  corpus.vector(createHash('sha256').update(seedOf(text)).digest().readUInt32LE()),
)
process.stdout.write(`${new URL(url).port}\n`)
process.stdin.on('end', () => process.exit(0)).resume()
