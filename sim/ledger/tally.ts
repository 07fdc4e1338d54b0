import type { World } from './world.ts'

/** What came to pass in many runs: a simulation in which nothing goes wrong proves nothing. As
 *  data, so that processes can tell each other. */
export interface Counted {
  readonly runs: number
  readonly steps: number
  readonly situations: { readonly [situation: string]: number }
  /** Of calm runs that refused: the share of a budget that was used before its first refusal. */
  readonly usable: readonly number[]
}

export class Tally {
  readonly counts = new Map<string, number>()
  readonly usable: number[] = []
  runs = 0
  steps = 0

  constructor() {
    for (const situation of SITUATIONS) this.counts.set(situation, 0)
  }

  add(world: World, steps: number): void {
    const { lost, repeated, parted, conflicts } = world.store.seen
    const { judge, truth, scenario, nodes } = world
    const answers = nodes.flatMap(({ answers }) => [...answers.values()])
    const count = (wanted: string): number => answers.filter((answer) => answer === wanted).length
    const sum = (of: (node: World['nodes'][number]) => number): number => nodes.reduce((all, node) => all + of(node), 0)
    const situations: { readonly [situation in (typeof SITUATIONS)[number]]: number } = {
      'messages lost': lost,
      'commits delivered twice': repeated,
      'messages stopped by a partition': parted,
      'partitions of a node': scenario.weather.partitions.filter(({ node }) => node !== undefined).length,
      'outages of the store': scenario.weather.partitions.filter(({ node }) => node === undefined).length,
      'commits that others got ahead of': conflicts,
      'nodes that died and began anew': sum(({ lives }) => lives - 1),
      'nodes fenced while alive': sum(({ fencings }) => fencings),
      'nodes with a clock that is off': scenario.nodes.filter(({ skewMs }) => skewMs !== 0).length,
      'wall clocks set': sum(({ jumps }) => jumps),
      'requests held': count('held'),
      'requests refused': count('refused'),
      'requests of a node that was down': count('unserved'),
      'leases recovered from a log': truth.recoveries('proved'),
      'leases recovered without one': truth.recoveries('nothing'),
      'holds posted at their bound': truth.wasted,
      'changes of limits': scenario.changes.length,
      'accounts reset': judge.resets,
      'accounts swept': judge.swept,
    }
    const usable = scenario.usedMin === undefined || judge.refusals === 0 ? [] : [Math.min(1, 1 - judge.unusable)]
    this.merge({ runs: 1, steps, situations, usable })
  }

  merge({ runs, steps, situations, usable }: Counted): void {
    this.runs += runs
    this.steps += steps
    this.usable.push(...usable)
    for (const situation of SITUATIONS)
      this.counts.set(situation, (this.counts.get(situation) ?? 0) + (situations[situation] ?? 0))
  }

  /** What was counted so far; from here on it counts anew. */
  take(): Counted {
    const taken = {
      runs: this.runs,
      steps: this.steps,
      situations: Object.fromEntries(this.counts),
      usable: this.usable.splice(0),
    }
    this.runs = 0
    this.steps = 0
    for (const situation of SITUATIONS) this.counts.set(situation, 0)
    return taken
  }
}

const SITUATIONS = [
  'messages lost',
  'commits delivered twice',
  'messages stopped by a partition',
  'partitions of a node',
  'outages of the store',
  'commits that others got ahead of',
  'nodes that died and began anew',
  'nodes fenced while alive',
  'nodes with a clock that is off',
  'wall clocks set',
  'requests held',
  'requests refused',
  'requests of a node that was down',
  'leases recovered from a log',
  'leases recovered without one',
  'holds posted at their bound',
  'changes of limits',
  'accounts reset',
  'accounts swept',
] as const
