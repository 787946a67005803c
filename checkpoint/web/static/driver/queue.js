// Positions that the server has not said it holds. Law: a fix is kept before it is sent, and forgotten only when an answer
// came back for it; what is kept survives the page, the browser and the phone's restart.

const STORE = "fixes";
let opening = null;

function base() {
  opening ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("positions", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "number", autoIncrement: true });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return opening;
}

async function within(access, work) {
  const held = await base();
  return new Promise((resolve, reject) => {
    const transaction = held.transaction(STORE, access);
    const asked = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/** Keep one fix; resolves when it is on the disk. */
export function keep(fix) {
  return within("readwrite", (store) => store.add({ fix }));
}

/** The oldest fixes waiting, at most so many, as `{number, fix}`. */
export function oldest(count) {
  return within("readonly", (store) => store.getAll(null, count));
}

/** Forget what the server holds: everything up to a number. */
export function forget(number) {
  return within("readwrite", (store) => store.delete(IDBKeyRange.upperBound(number)));
}

/** How many wait. */
export function waiting() {
  return within("readonly", (store) => store.count());
}
