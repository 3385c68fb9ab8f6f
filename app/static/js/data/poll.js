/** Asks an address of the server again and again while a view is shown; a slow answer is waited for, an older one never comes late. */

import { get } from "../api.js";

export class Poll {
  #timer = null;
  #abort = null;

  /** `onAnswer(document)`, `onProblem(problem)`; `seconds` between an answer and the next question. */
  constructor({ path, seconds = 3, onAnswer, onProblem = () => {} }) {
    Object.assign(this, { path, seconds, onAnswer, onProblem });
  }

  start(parameters = {}) {
    this.stop();
    this.#ask(parameters, (this.#abort = new AbortController()));
  }

  stop() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
  }

  async #ask(parameters, abort) {
    try {
      const answer = await get(this.path, parameters, abort.signal);
      if (!abort.signal.aborted) this.onAnswer(answer);
    } catch (problem) {
      if (abort.signal.aborted) return;
      this.onProblem(problem);
      if (problem.status === 400) return; // the same question would get the same answer
    }
    if (!abort.signal.aborted) this.#timer = setTimeout(() => this.#ask(parameters, abort), this.seconds * 1000);
  }
}
