/** The letters to customers, and the tasker and the clock for the handlers. The program sets `tasker` and `now`. */
export const post = {
  tasker: undefined,
  now: () => new Date(),
  letters: [],
  send(customer, text) {
    this.letters.push({ at: this.now(), customer, text });
  },
};
