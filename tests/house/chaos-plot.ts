import type { ChaosResult } from './chaos.ts'

/** Goodput over time as a picture: what was asked for, what was answered in time, late, or not at all. */

const WIDTH = 960
const HEIGHT = 360
const LEFT = 56
const TOP = 48
const BOTTOM = 44

const LINES = [
  { name: 'offered', colour: '#8a8f98', of: 'offered' },
  { name: 'answered in time', colour: '#1a7f37', of: 'inTime' },
  { name: 'answered late', colour: '#b58900', of: 'late' },
  { name: 'failed', colour: '#c0392b', of: 'failed' },
] as const

export function chaosPlot({ acts, seconds, goodput, amplification }: ChaosResult): string {
  const most = Math.max(1, ...seconds.map(({ offered }) => offered))
  const x = (second: number): number => LEFT + (second / seconds.length) * (WIDTH - LEFT - 16)
  const y = (count: number): number => HEIGHT - BOTTOM - (count / most) * (HEIGHT - TOP - BOTTOM)
  const points = (of: (typeof LINES)[number]['of']): string =>
    seconds.map((second, at) => `${x(at + 0.5).toFixed(1)},${y(second[of]).toFixed(1)}`).join(' ')
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(
      LEFT,
      20,
      `Answers a second while engines fail: ${(goodput * 100).toFixed(2)} % in time, ${amplification.toFixed(3)} calls a request`,
      'start',
      14,
    ),
    ...acts.map(({ fromS }, at) => {
      const toS = acts[at + 1]?.fromS ?? seconds.length
      return `<rect x="${x(fromS).toFixed(1)}" y="${TOP}" width="${(x(toS) - x(fromS)).toFixed(1)}" height="${HEIGHT - TOP - BOTTOM}" fill="${at % 2 === 0 ? '#f6f8fa' : '#eceff3'}"/>`
    }),
    ...acts.map(({ name, fromS }) => text(x(fromS) + 4, TOP + 12 + TEXT_STEP, name, 'start', 10)),
    ...[0, most].map((count) => text(LEFT - 8, y(count) + 4, String(count), 'end')),
    ...LINES.map(
      ({ of, colour }) => `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points(of)}"/>`,
    ),
    ...LINES.map(({ name, colour }, at) => {
      const left = LEFT + at * 160
      return `<rect x="${left}" y="${HEIGHT - 24}" width="16" height="4" fill="${colour}"/>${text(left + 22, HEIGHT - 18, name)}`
    }),
    text(WIDTH - 16, HEIGHT - 18, `${seconds.length} s`, 'end'),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

const TEXT_STEP = 2

const text = (x: number, y: number, said: string, anchor: 'start' | 'end' = 'start', size = 12): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}" fill="#24292f">${said.replace(/[<&]/g, (one) => (one === '<' ? '&lt;' : '&amp;'))}</text>`
