"""What a person sees and ends of what is theirs: `/connections`; and `/connect/{idp}`, for one more account.

    context             what all of it is given
    browser_session     who is signed in here, for an hour, in one browser
    sign_in             at a provider that says who somebody is for some resource
    listing             what there is: resources, accounts, programs
    inventory           what the store has of it
    client_view         clients as pages show them
    connect             an account is asked for, and its login begins
    callback_result     what a login brought, or why it brought nothing
    account             an account that came back, and what is connected already
    replacement_offer   another account than the connected one: replace it, or keep it
    ending              disconnect an account, end a program's access, sign out
    offline_access      a program may use an account while its person is away
    flash               what was just done, told once

Nothing is changed by a link: what changes something is a form of this server's, posted by the browser and the
person that it was given to. What is not theirs looks as if it did not exist.
"""
