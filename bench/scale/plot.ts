import type { Row } from './measure.ts'
import { SCOPES } from './truth.ts'

/** What was measured, drawn: SVG that needs nothing but a reader, on a light page and on a dark one. */

const [WIDTH, HEIGHT] = [640, 360]
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 24, 44, 52]
/** Between two labels. */
const APART = 34
/** Told apart by shape too, and of one brightness: blue, orange and green of Okabe and Ito's palette. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73']
const STYLE = `<style>
text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-size: 14px; font-weight: 600 }
.grid { stroke: #8884 } .axis { stroke: #888 } .back { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .back { fill: #16181c } }
</style>`

interface Point {
  readonly x: number
  readonly y: number
}

interface Line {
  readonly name: string
  readonly points: readonly Point[]
}

interface Axis {
  readonly name: string
  readonly ticks: readonly number[]
  readonly isLogarithmic: boolean
}

/** By name: `recall` over what a question costs, and `load`, the time it takes over how many are asked. */
export function plotsOf(rows: readonly Row[]): { readonly recall: string; readonly load: string } {
  const lines = SCOPES.map(({ name }): Line => ({ name, points: recallPoints(rows, name) }))
  const questions = rows.find(({ recall }) => recall !== undefined)?.['n'] ?? 0
  const recalls = lines.flatMap(({ points }) => points.map(({ y }) => y))
  const loads = rows.filter(({ offered }) => offered !== undefined)
  const load = (figure: string): Line => ({
    name: figure,
    points: loads.map((row) => ({ x: number(row, 'offered'), y: number(row, figure) })),
  })
  const asked = loads.map((row) => number(row, 'n'))
  return {
    recall: drawn(
      `Recall@10 against the cost of a question (n = ${questions} each)`,
      {
        name: 'CPU-ms a question, least of five turns',
        ticks: decades(lines.flatMap(({ points }) => points.map(({ x }) => x))),
        isLogarithmic: true,
      },
      { name: 'recall@10', ticks: steps(Math.min(...recalls, 0.9), 1, 0.05), isLogarithmic: false },
      lines,
    ),
    load: drawn(
      `Time to an answer against load (n = ${Math.min(...asked)} to ${Math.max(...asked)})`,
      {
        name: 'questions a second, arriving by chance',
        ticks: [0, ...loads.map((row) => number(row, 'offered'))],
        isLogarithmic: false,
      },
      {
        name: 'ms',
        ticks: decades(loads.flatMap((row) => [number(row, 'p50'), number(row, 'p99')])),
        isLogarithmic: true,
      },
      [load('p50'), load('p95'), load('p99')],
    ),
  }
}

function recallPoints(rows: readonly Row[], scope: string): Point[] {
  const own = rows.filter((row) => row['scope'] === scope)
  return own
    .filter(({ recall }) => recall !== undefined)
    .toSorted((a, b) => number(a, 'aim') - number(b, 'aim'))
    .flatMap((found) => {
      const cost = own.find((row) => row['aim'] === found['aim'] && row['leastCpuMs'] !== undefined)
      return cost === undefined ? [] : [{ x: number(cost, 'leastCpuMs'), y: number(found, 'recall') }]
    })
}

const number = (row: Row, figure: string): number => Number(row[figure])

/** 1, 2, 5, 10, ... from below the least to above the greatest. */
function decades(values: readonly number[]): number[] {
  const [least, greatest] = [Math.min(...values), Math.max(...values)]
  const all = [-2, -1, 0, 1, 2, 3, 4].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power))
  const first = Math.max(
    0,
    all.findLastIndex((one) => one <= least),
  )
  const last = all.findIndex((one) => one >= greatest)
  return all.slice(first, last + 1)
}

function steps(least: number, greatest: number, step: number): number[] {
  const first = Math.floor(least / step + 1e-9)
  return Array.from({ length: Math.round(greatest / step) - first + 1 }, (_, at) => (first + at) * step)
}

function drawn(title: string, x: Axis, y: Axis, lines: readonly Line[]): string {
  const across = scale(x, LEFT, WIDTH - RIGHT)
  const up = scale(y, HEIGHT - BOTTOM, TOP)
  const isCrowded = (tick: number): boolean =>
    x.ticks.some((other) => other < tick && across(tick) - across(other) < APART)
  const vertical = x.ticks.map(
    (tick) => `<line class="grid" x1="${across(tick)}" x2="${across(tick)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>
${isCrowded(tick) ? '' : `<text x="${across(tick)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${label(tick)}</text>`}`,
  )
  const horizontal = y.ticks.map(
    (tick) => `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up(tick)}" y2="${up(tick)}"/>
<text x="${LEFT - 6}" y="${up(tick) + 4}" text-anchor="end">${label(tick)}</text>`,
  )
  const curves = lines.map(({ name, points }, at) => {
    const [colour = '', places] = [COLOURS[at], points.map((point) => [across(point.x), up(point.y)] as const)]
    const path = `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((place) => place.join(',')).join(' ')}"/>`
    return [path, ...places.map(([left, top]) => mark(at, left, top, colour)), legend(at, name, colour)].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">
${STYLE}
<rect class="back" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="${LEFT}" y="18">${title}</text>
${[...vertical, ...horizontal].join('\n')}
<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}"/>
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${x.name}</text>
<text transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${y.name}</text>
${curves.join('\n')}
</svg>
`
}

const legend = (at: number, name: string, colour: string): string =>
  `${mark(at, LEFT + 8 + at * 130, 32, colour)}<text x="${LEFT + 18 + at * 130}" y="36">${name}</text>`

/** A circle, a square, a triangle. */
function mark(shape: number, left: number, top: number, colour: string): string {
  if (shape === 0) return `<circle cx="${left}" cy="${top}" r="4" fill="${colour}"/>`
  if (shape === 1) return `<rect x="${left - 4}" y="${top - 4}" width="8" height="8" fill="${colour}"/>`
  return `<path d="M${left - 5} ${top + 4}h10l-5-9z" fill="${colour}"/>`
}

function scale({ ticks, isLogarithmic }: Axis, from: number, to: number): (value: number) => number {
  const at = isLogarithmic ? Math.log : (value: number): number => value
  const [first, last] = [at(ticks[0] ?? 0), at(ticks.at(-1) ?? 1)]
  return (value) => Math.round((from + ((at(value) - first) / (last - first)) * (to - from)) * 10) / 10
}

const label = (tick: number): string => String(Number(tick.toPrecision(3)))
