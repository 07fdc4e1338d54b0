import { deploymentName, type Deployment } from '../../catalogue.ts'

/** One asker always comes to the same deployment, by weighted rendezvous hashing (Thaler and Ravishankar
 *  1998; Schindelhauer and Schomaker 2005 for weights): when one is out, only its own askers move, each to
 *  the next of an order of his own, and they come back with it. Nothing is kept. */
export function keptTo(asker: string, deployments: readonly Deployment[]): readonly Deployment[] {
  const seed = hashOn(SEED, asker.slice(0, ASKER_UNITS_MAX))
  return deployments
    .map((deployment) => ({ deployment, score: scoreOf(hashOn(seed, deploymentName(deployment)), deployment.weight) }))
    .sort((a, b) => b.score - a.score)
    .map(({ deployment }) => deployment)
}

/** Names that differ later than that are one asker. */
const ASKER_UNITS_MAX = 256

const scoreOf = (hash: number, weight: number): number => -weight / Math.log((mixed(hash) + 0.5) / 2 ** 32)

/** FNV-1a over code units. */
const SEED = 0x811c9dc5
function hashOn(seed: number, text: string): number {
  let hash = seed
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}

/** Every bit of the hash decides every bit of the score (MurmurHash3's finalizer). */
function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
