import { useId, useLayoutEffect, useRef, type ReactNode } from 'react'
import { Button } from './button.tsx'
import './sheet.css'

interface Props {
  readonly title: ReactNode
  /** Beneath the title. */
  readonly about?: ReactNode
  /** `side`: beside the page, full height. `centre`: over it. */
  readonly place?: 'side' | 'centre'
  readonly onClose: () => void
  readonly children: ReactNode
}

/** A modal <dialog>: the browser keeps the focus inside, gives it back, and closes on Escape. */
export function Sheet({ title, about, place = 'side', onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      className="sheet"
      data-place={place}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && onClose()}
    >
      <div className="sheet-inner">
        <header className="sheet-head">
          <div className="sheet-title">
            <h2 id={id}>{title}</h2>
            {about}
          </div>
          <Button kind="quiet" icon="close" aria-label="Close" onClick={onClose} />
        </header>
        <div className="sheet-body">{children}</div>
      </div>
    </dialog>
  )
}
