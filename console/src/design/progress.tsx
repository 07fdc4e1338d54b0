import './progress.css'

/** Something is going on and nobody knows how much of it is left. */
export function Progress({ label }: { label: string }) {
  return <div className="progress" role="progressbar" aria-label={label} />
}
