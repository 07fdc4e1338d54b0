import { useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react'
import './icicle.css'
import { gathered, neighbourOf, REST, type Part, rectsOf, type Rect } from './icicle.ts'
import { formatCount, formatShare } from './units.ts'

/** Parts below this share of the whole stand together: they could not be read. */
export const SHARE_MIN = 1 / 30
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
  // Whoever went in or out by keyboard or pointer goes on from the first part there.
  const left = useRef<Part>(undefined)
  useLayoutEffect(() => {
    if (left.current === undefined || left.current === whole) return
    left.current = undefined
    list.current?.querySelector<HTMLElement>('.icicle-part')?.focus()
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
    left.current = whole
    onOpen(target)
  }
  const press = (event: KeyboardEvent<HTMLOListElement>) => {
    if ((event.key === 'Escape' || event.key === 'Backspace') && onLeave !== undefined) {
      event.preventDefault()
      left.current = whole
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
        {rects.map((rect, at) => (
          <PartPlace
            key={rect.path.join('.')}
            rect={rect}
            level={levels[rect.level] ?? ''}
            words={words(rect)}
            isShown={at === shown}
            onShow={() => setChosen({ chosen: at, of: whole })}
            onOpen={() => open(rect)}
          />
        ))}
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

interface PartProps {
  readonly rect: Rect
  readonly level: string
  readonly words: { readonly name: string; readonly amount: string; readonly share: string }
  readonly isShown: boolean
  readonly onShow: () => void
  readonly onOpen: () => void
}

function PartPlace({ rect, level, words: { name, amount, share }, isShown, onShow, onOpen }: PartProps) {
  const place = {
    '--level': rect.level,
    '--from': rect.from,
    '--size': rect.to - rect.from,
    '--category': `var(--category-${(rect.branch % CATEGORIES) + 1})`,
  }
  return (
    <li className="icicle-place" style={place}>
      <button
        type="button"
        className="icicle-part"
        data-shown={isShown || undefined}
        data-rest={rect.part.isRest}
        data-opens={rect.part.children.length > 0 || undefined}
        tabIndex={isShown ? 0 : -1}
        aria-label={`${level} ${name}: ${amount}, ${share}`}
        title={`${name}: ${amount}, ${share}`}
        onPointerEnter={onShow}
        onFocus={onShow}
        onClick={onOpen}
      >
        <bdi className="icicle-name">{name}</bdi>
        <span className="icicle-figure figure">
          {amount} <span className="icicle-share">{share}</span>
        </span>
      </button>
    </li>
  )
}

/** From the top down to the part. */
const trailOf = (rects: readonly Rect[], { path }: Rect): Rect[] =>
  path.flatMap((_, depth) => {
    const part = rects.find((rect) => rect.path.length === depth + 1 && rect.path.every((step, i) => step === path[i]))
    return part === undefined ? [] : [part]
  })

const namesOf = (rects: readonly Rect[], rect: Rect): string[] => trailOf(rects, rect).map(({ part }) => part.name)
