import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

/** WCAG 2.2: 1.4.3 (text, 4.5) and 1.4.11 (graphics and the edges of controls, 3). */
const TEXT = 4.5
const GRAPHIC = 3

const surfaces = ['table', 'paper', 'sunken', 'raised']
const pairs: [foreground: string, background: string, ratio: number][] = [
  ...surfaces.flatMap((surface) => [
    ...['ink', 'ink-soft', 'ink-faint', 'accent', 'accent-strong', 'danger', 'caution', 'good'].map(
      (ink) => [ink, surface, TEXT] as [string, string, number],
    ),
    ...['edge', ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => `category-${n}`)].map(
      (line) => [line, surface, GRAPHIC] as [string, string, number],
    ),
  ]),
  ['on-accent', 'accent', TEXT],
  ['on-accent', 'accent-strong', TEXT],
  ['on-mark', 'mark', TEXT],
  ['accent', 'accent-wash', TEXT],
  ['accent-strong', 'accent-wash', TEXT],
  ['ink', 'accent-wash', TEXT],
  ['ink-soft', 'accent-wash', TEXT],
  ['danger', 'danger-wash', TEXT],
  ['ink', 'danger-wash', TEXT],
  ['ink-soft', 'danger-wash', TEXT],
  ['caution', 'caution-wash', TEXT],
  ['ink', 'caution-wash', TEXT],
  ['ink-soft', 'caution-wash', TEXT],
]

type Theme = 'light' | 'dark'
type Colours = ReadonlyMap<string, { readonly light: string; readonly dark: string }>

function coloursOf(css: string): Colours {
  const found = css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)
  return new Map([...found].map(([, name = '', light = '', dark = '']) => [name, { light, dark }]))
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

/** The pairs that are too close, in words. */
function failures(colours: Colours): string[] {
  const found: string[] = []
  for (const [foreground, background, least] of pairs) {
    for (const theme of ['light', 'dark'] as Theme[]) {
      const one = colours.get(foreground)?.[theme]
      const other = colours.get(background)?.[theme]
      assert.ok(one !== undefined && other !== undefined, `${foreground} or ${background} is not a colour token`)
      const ratio = contrast(one, other)
      if (ratio < least) found.push(`${theme}: ${foreground} on ${background} is ${ratio.toFixed(2)}, needs ${least}`)
    }
  }
  return found
}

const css = readFileSync(new URL('tokens.css', import.meta.url), 'utf8')

test('every pair of tokens that meets can be read, in light and in dark', () => {
  assert.deepEqual(failures(coloursOf(css)), [])
})

test('text on the tints of an icicle can be read, at every level', () => {
  const colours = coloursOf(css)
  const of = (name: string, theme: Theme): string => colours.get(name)?.[theme] ?? assert.fail(name)
  for (const theme of ['light', 'dark'] as const)
    for (let category = 1; category <= 8; category++)
      for (const tint of [0.26, 0.21, 0.16, 0.11]) {
        const part = mixed(of(`category-${category}`, theme), of('paper', theme), tint)
        for (const ink of ['ink', 'ink-soft']) {
          const ratio = contrast(of(ink, theme), part)
          assert.ok(ratio >= TEXT, `${theme}: ${ink} on category ${category} at ${tint} is ${ratio.toFixed(2)}`)
        }
      }
})

/** As `color-mix(in srgb, one share, other)`. */
function mixed(one: string, other: string, share: number): string {
  const part = (hex: string, at: number): number => Number.parseInt(hex.slice(at, at + 2), 16)
  const mix = [1, 3, 5].map((at) => Math.round(part(one, at) * share + part(other, at) * (1 - share)))
  return `#${mix.map((value) => value.toString(16).padStart(2, '0')).join('')}`
}

test('the contrast is computed as WCAG does', () => {
  assert.equal(contrast('#000000', '#ffffff').toFixed(2), '21.00')
  assert.equal(contrast('#777777', '#ffffff').toFixed(2), '4.48')
})

test('a token that is too pale is found', () => {
  const planted = css.replace(/--ink-faint: light-dark\(#\w{6}/, '--ink-faint: light-dark(#9aa6b0')
  assert.notEqual(planted, css)
  assert.match(failures(coloursOf(planted)).join('\n'), /light: ink-faint on paper is 2\.\d\d/)
})
