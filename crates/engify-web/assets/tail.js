// The audit log as it grows: rows come as the server draws them. The browser itself comes back after each end.
const button = document.querySelector("#live");
let source;
button.onclick = () => {
  button.ariaPressed = String(!source);
  if (source) source = source.close();
  else (source = new EventSource(button.dataset.from)).addEventListener("line", (event) => {
    document.querySelector("#lines")?.insertAdjacentHTML("afterbegin", event.data);
  });
};
