/** A model server of hashed embeddings as a process of its own, so that its CPU is counted apart. Run
 *  as `embedder.ts <dimension>`; prints its port. */
import { startHashedEmbeddings } from '../tests/kit/hashed-embeddings.ts'

const { url } = await startHashedEmbeddings(Number(process.argv[2] ?? 384))
process.stdout.write(`${new URL(url).port}\n`)
process.stdin.on('end', () => process.exit(0)).resume()
