import { useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react'
import './icicle.css'
import { gathered, neighbourOf, REST, type Part, rectsOf, type Rect } from './icicle.ts'
import { formatCount, formatShare } from './units.ts'

/** Parts below this share of the whole stand together: they could not be read. */
export const SHARE_MIN = 1 / 36
const CATEGORIES = 8

interface Props {
  readonly label: string
  /** What is shown, from its first level on. */
  readonly whole: Part
  /** Names of the levels there are to show. */
  readonly levels: readonly string[]
  readonly nameOf: (level: number, name: string) => string
  readonly amountOf: (value: number) => string
  /** Goes into a part: the names of its path. Absent for parts that hold nothing. */
  readonly onOpen: (names: readonly string[]) => void
  /** Goes back out; absent at the top. */
  readonly onLeave?: (() => void) | undefined
}

export function Icicle({ label, whole, levels, nameOf, amountOf, onOpen, onLeave }: Props) {
  const list = useRef<HTMLOListElement>(null)
  const rects = rectsOf(gathered(whole, SHARE_MIN * whole.value), levels.length)
  const [{ chosen, of }, setChosen] = useState({ chosen: 0, of: whole })
  const shown = of === whole ? Math.min(chosen, rects.length - 1) : 0
  const choose = (at: number) => setChosen({ chosen: at, of: whole })
  // Whoever went in or out by keyboard or pointer goes on from the first part there.
  const wentElsewhere = useRef(false)
  useLayoutEffect(() => {
    if (wentElsewhere.current) list.current?.querySelector<HTMLElement>('.icicle-part')?.focus()
    wentElsewhere.current = false
  }, [whole])
  const words = (rect: Rect) => ({
    name:
      rect.part.name === REST ? `${formatCount(rect.part.children.length)} others` : nameOf(rect.level, rect.part.name),
    amount: amountOf(rect.part.value),
    share: formatShare(rect.to - rect.from),
  })
  const open = (rect: Rect) => {
    const names = namesOf(rects, rect)
    // What stands for several within a part is seen by going into that part.
    const target = rect.part.isRest && names.length > 1 ? names.slice(0, -1) : names
    if (rect.part.children.length === 0) return
    wentElsewhere.current = true
    onOpen(target)
  }
  const press = (event: KeyboardEvent<HTMLOListElement>) => {
    if ((event.key === 'Escape' || event.key === 'Backspace') && onLeave !== undefined) {
      event.preventDefault()
      wentElsewhere.current = true
      return onLeave()
    }
    const target = neighbourOf(rects, shown, event.key)
    if (!/^(Arrow|Home|End)/.test(event.key)) return
    event.preventDefault()
    list.current?.querySelectorAll<HTMLElement>('.icicle-part')[target]?.focus()
  }
  const detail = rects[shown]
  return (
    <div className="icicle" style={{ '--levels': levels.length }}>
      <div className="icicle-head" aria-hidden="true">
        {levels.map((level) => (
          <span key={level} className="label">
            {level}
          </span>
        ))}
      </div>
      <ol ref={list} className="icicle-parts" aria-label={label} onKeyDown={press}>
        {rects.map((rect, at) => {
          const { name, amount, share } = words(rect)
          return (
            <li
              key={rect.path.join('.')}
              className="icicle-place"
              style={{
                '--level': rect.level,
                '--from': rect.from,
                '--size': rect.to - rect.from,
                '--category': `var(--category-${(rect.branch % CATEGORIES) + 1})`,
              }}
            >
              <button
                type="button"
                className="icicle-part"
                data-shown={at === shown || undefined}
                data-rest={rect.part.isRest}
                data-opens={rect.part.children.length > 0 || undefined}
                tabIndex={at === shown ? 0 : -1}
                aria-label={`${levels[rect.level]} ${name}: ${amount}, ${share}`}
                title={`${name}: ${amount}, ${share}`}
                onPointerEnter={() => choose(at)}
                onFocus={() => choose(at)}
                onClick={() => open(rect)}
              >
                <bdi className="icicle-name">{name}</bdi>
                <span className="icicle-figure figure">
                  {amount} <span className="icicle-share">{share}</span>
                </span>
              </button>
            </li>
          )
        })}
      </ol>
      {detail !== undefined && (
        <p className="icicle-detail figure" aria-hidden="true">
          <bdi>
            {trailOf(rects, detail)
              .map((rect) => words(rect).name)
              .join(' › ')}
          </bdi>
          <strong>{words(detail).amount}</strong>
          <span className="minor">{words(detail).share} of what is shown</span>
        </p>
      )}
    </div>
  )
}

/** From the top down to the part. */
const trailOf = (rects: readonly Rect[], { path }: Rect): Rect[] =>
  path.flatMap((_, depth) => {
    const part = rects.find((rect) => rect.path.length === depth + 1 && rect.path.every((step, i) => step === path[i]))
    return part === undefined ? [] : [part]
  })

const namesOf = (rects: readonly Rect[], rect: Rect): string[] => trailOf(rects, rect).map(({ part }) => part.name)
