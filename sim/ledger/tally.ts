import type { World } from './world.ts'

/** What came to pass in many runs: a simulation in which nothing goes wrong proves nothing. */
export class Tally {
  readonly counts = new Map<string, number>()
  steps = 0
  /** The greatest share of a budget that was left when a request was refused, of calm runs. */
  unusable = 0

  constructor() {
    for (const situation of SITUATIONS) this.counts.set(situation, 0)
  }

  add(world: World, steps: number): void {
    this.steps += steps
    this.unusable = Math.max(this.unusable, world.judge.unusable)
    const { lost, repeated, parted, conflicts } = world.store.seen
    const answers = world.nodes.flatMap(({ answers }) => [...answers.values()])
    const count = (wanted: string): number => answers.filter((answer) => answer === wanted).length
    const sum = (of: (node: World['nodes'][number]) => number): number =>
      world.nodes.reduce((all, node) => all + of(node), 0)
    const seen: { readonly [situation in (typeof SITUATIONS)[number]]: number } = {
      'messages lost': lost,
      'commits repeated': repeated,
      'messages stopped by a partition': parted,
      'commits that others got ahead of': conflicts,
      'nodes that died and began anew': sum(({ lives }) => lives - 1),
      'nodes fenced while alive': sum(({ fencings }) => fencings),
      'requests held': count('held'),
      'requests refused': count('refused'),
      'requests of a node that was down': count('unserved'),
      'leases recovered from a log': world.truth.recoveries('proved'),
      'leases recovered without one': world.truth.recoveries('nothing'),
      'holds posted at their bound': world.truth.wasted,
      'changes of limits': world.scenario.changes.length,
      'accounts reset': world.judge.resets,
      'accounts swept': world.judge.swept,
      'wall clocks set': sum(({ jumps }) => jumps),
      'outages of the store': world.scenario.weather.partitions.filter(({ node }) => node === undefined).length,
    }
    for (const situation of SITUATIONS) this.counts.set(situation, (this.counts.get(situation) ?? 0) + seen[situation])
  }
}

const SITUATIONS = [
  'messages lost',
  'commits repeated',
  'messages stopped by a partition',
  'commits that others got ahead of',
  'nodes that died and began anew',
  'nodes fenced while alive',
  'requests held',
  'requests refused',
  'requests of a node that was down',
  'leases recovered from a log',
  'leases recovered without one',
  'holds posted at their bound',
  'changes of limits',
  'accounts reset',
  'accounts swept',
  'wall clocks set',
  'outages of the store',
] as const
