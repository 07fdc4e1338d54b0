/** As much of CSS as tells whether text can be seen: inline styles, and rules of `style` elements
 *  with a selector of one class, id or element. What a linked sheet says is not known. */

/** How text inside an element looks, as far as it is said: inherited from the elements around. */
export interface Look {
  /** Smaller than can be read. */
  readonly tiny: boolean
  /** Red, green, blue; 0 to 255. */
  readonly color: Rgb | undefined
  readonly background: Rgb | undefined
  readonly transparent: boolean
}

type Rgb = readonly [red: number, green: number, blue: number]

export const PLAIN: Look = { tiny: false, color: undefined, background: undefined, transparent: false }

/** Channels that differ by no more are the same colour to the eye. */
const SAME_CHANNEL_MAX = 12

export const isUnseen = ({ tiny, transparent, color, background }: Look): boolean =>
  tiny ||
  transparent ||
  (color !== undefined &&
    background !== undefined &&
    color.every((channel, at) => Math.abs(channel - (background[at] ?? 0)) <= SAME_CHANNEL_MAX))

/** What `style` makes of an element: `undefined` where it is taken out of sight with all in it. */
export function styled(around: Look, style: string): Look | undefined {
  let look = around
  for (const declaration of style.toLowerCase().split(';')) {
    const colon = declaration.indexOf(':')
    if (colon === -1) continue
    const value = declaration
      .slice(colon + 1)
      .replace('!important', '')
      .trim()
    switch (declaration.slice(0, colon).trim()) {
      case 'display':
        if (value === 'none') return undefined
        break
      case 'visibility':
        if (value === 'hidden' || value === 'collapse') return undefined
        break
      case 'font-size':
        look = { ...look, tiny: isTiny(value) }
        break
      case 'font':
        look = { ...look, tiny: isTiny(/(?:^|\s)([\d.]+(?:[a-z]+|%)?)(?:\/|\s)/.exec(value)?.[1] ?? '') }
        break
      case 'color':
        look = { ...look, color: rgb(value), transparent: isTransparent(value) }
        break
      case 'background':
      case 'background-color':
        look = { ...look, background: value.includes('url(') ? undefined : (rgb(value) ?? look.background) }
        break
      default:
    }
  }
  return look
}

/** At most one pixel or point, or a tenth of what is around. */
function isTiny(value: string): boolean {
  const size = /^([\d.]+)([a-z]*|%)$/.exec(value)
  if (size === null) return false
  const number = Number(size[1])
  switch (size[2]) {
    case '':
      return number === 0
    case 'em':
    case 'rem':
      return number < 0.1
    case '%':
      return number < 10
    default:
      return number <= 1
  }
}

const isTransparent = (value: string): boolean =>
  value === 'transparent' || /^rgba?\([^)]*[,/]\s*0(?:\.0+|%)?\s*\)$/.test(value) || /^#(?:...0|.{6}00)$/.test(value)

const NAMED: Readonly<Record<string, Rgb>> = {
  white: [255, 255, 255],
  snow: [255, 250, 250],
  ivory: [255, 255, 240],
  whitesmoke: [245, 245, 245],
  black: [0, 0, 0],
  red: [255, 0, 0],
  lime: [0, 255, 0],
  green: [0, 128, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
  gray: [128, 128, 128],
  grey: [128, 128, 128],
  silver: [192, 192, 192],
}

/** The first colour in a value; `undefined` where none is understood. */
function rgb(value: string): Rgb | undefined {
  const hex = /#([0-9a-f]{3,8})\b/.exec(value)?.[1]
  if (hex !== undefined) {
    const wide = hex.length < 6 ? Array.from(hex.slice(0, 3), (digit) => digit + digit) : (hex.match(/../g) ?? [])
    return [parseInt(wide[0] ?? '', 16), parseInt(wide[1] ?? '', 16), parseInt(wide[2] ?? '', 16)]
  }
  const numbers = /rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})/.exec(value)
  if (numbers !== null) return [Number(numbers[1]), Number(numbers[2]), Number(numbers[3])]
  for (const word of value.split(/[\s,()]+/)) if (Object.hasOwn(NAMED, word)) return NAMED[word]
  return undefined
}

/** Of `style` elements, all together. */
const SHEET_UNITS_MAX = 256 * 2 ** 10

/** Rules for one class, id or element. Rules inside `@media` and its like hold sometimes only and
 *  are not looked at. */
export class Sheet {
  readonly #rules = new Map<string, string>()
  #units = 0

  get empty(): boolean {
    return this.#rules.size === 0
  }

  add(css: string): void {
    this.#units += css.length
    if (this.#units > SHEET_UNITS_MAX) return
    const source = css.replace(/\/\*[^]*?(?:\*\/|$)/g, ' ')
    for (let at = 0; at < source.length;) {
      const open = source.indexOf('{', at)
      if (open === -1) return
      const close = blockEnd(source, open)
      const prelude = source.slice(at, open)
      if (!prelude.includes('@')) this.#rule(prelude, source.slice(open + 1, close))
      at = close + 1
    }
  }

  /** The declarations for an element. */
  styleOf(name: string, attributes: { readonly [name: string]: string }): string {
    let style = this.#rules.get(name) ?? ''
    for (const one of (attributes['class'] ?? '').split(/\s+/)) style += this.#rules.get(`.${one}`) ?? ''
    return style + (this.#rules.get(`#${attributes['id'] ?? ''}`) ?? '')
  }

  #rule(prelude: string, declarations: string): void {
    if (!/display|visibility|font|color|background/i.test(declarations)) return
    for (const selector of prelude.split(',')) {
      const simple =
        /^\s*(?:[a-z][a-z0-9]*)?([.#][\w-]+)\s*$/i.exec(selector)?.[1] ??
        /^\s*([a-z][a-z0-9]*)\s*$/i.exec(selector)?.[1]
      if (simple !== undefined) this.#rules.set(simple, `${this.#rules.get(simple) ?? ''}${declarations};`)
    }
  }
}

function blockEnd(source: string, open: number): number {
  let depth = 0
  for (let at = open; at < source.length; at++) {
    const code = source.charCodeAt(at)
    if (code === 0x7b) depth++
    else if (code === 0x7d && --depth === 0) return at
  }
  return source.length
}
