//! `#[fast_fields]`: the fields of an object that need no waiting, as functions that write them.

use heck::ToLowerCamelCase;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, Item, ItemImpl, ItemStruct,
    LitStr, Meta, PathArguments, PathSegment, ReturnType, Type, parse_macro_input,
};

/// Put above the `#[Object]` of a type, makes it `FastFields`: its methods that are not `async` are values that can be had
/// without the executor, and those that return a connection are lists of many objects that can be read together. All fields of a
/// `SimpleObject` are values.
///
/// The methods stay as they are, and so does all that `#[Object]` makes of them: the schema and the stock way to resolve.
#[proc_macro_attribute]
pub fn fast_fields(
    _: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let object = parse_macro_input!(item as Item);
    let plain = match &object {
        Item::Impl(object) => methods(object),
        Item::Struct(object) => values(object),
        other => Err(syn::Error::new(
            other.span(),
            "is neither a struct nor its methods",
        )),
    };
    let plain = plain.unwrap_or_else(|error| error.to_compile_error());
    quote!(#object #plain).into()
}

/// The fields of an `#[Object]`: its methods.
fn methods(object: &ItemImpl) -> syn::Result<TokenStream> {
    let mut fields = Vec::new();
    for item in &object.items {
        if let ImplItem::Fn(method) = item {
            fields.extend(field(method)?);
        }
    }
    Ok(expand(&object.self_ty, &fields))
}

/// The fields of a `SimpleObject`: its values.
fn values(object: &ItemStruct) -> syn::Result<TokenStream> {
    let fields = object.fields.iter().map(|field| {
        let (value, ty) = (&field.ident, &field.ty);
        let value = value
            .as_ref()
            .ok_or_else(|| syn::Error::new(field.span(), "has no name"))?;
        let name = match given_name(&field.attrs)? {
            Some(name) => name,
            None => value.to_string().to_lower_camel_case(),
        };
        Ok(quote! {
            #name => FastField::Value {
                is_plain: <#ty as Plain>::is_plain,
                write: |this, at, json| Plain::write(&this.#value, at, json),
            }
        })
    });
    let fields = fields.collect::<syn::Result<Vec<_>>>()?;
    Ok(expand(&object.ident, &fields))
}

fn expand(this: &impl ToTokens, fields: &[TokenStream]) -> TokenStream {
    quote! {
        impl crate::graphql::fast_path::FastFields for #this {
            fn fast_field(name: &str) -> ::std::option::Option<crate::graphql::fast_path::FastField<Self>> {
                use crate::graphql::fast_path::{Children, Plain, FastField, at_once};
                ::std::option::Option::Some(match name {
                    #(#fields,)*
                    _ => return ::std::option::Option::None,
                })
            }
        }
    }
}

/// A method as an arm of the match over names, if it can be called without the executor.
fn field(method: &ImplItemFn) -> syn::Result<Option<TokenStream>> {
    let name = &method.sig.ident;
    let field = given_name(&method.attrs)?;
    let field = field.unwrap_or_else(|| name.to_string().to_lower_camel_case());
    let ReturnType::Type(_, output) = &method.sig.output else {
        return Err(syn::Error::new(method.sig.span(), "a field has a type"));
    };
    if let Some(list) = connection(output) {
        let (names, types): (Vec<_>, Vec<_>) = arguments(method)?.into_iter().unzip();
        let values = (0..names.len()).map(|at| format_ident!("argument_{at}"));
        let values: Vec<_> = values.collect();
        return Ok(Some(quote! {
            #field => FastField::Children {
                is_plain: <#list as Children>::is_plain,
                of: |this, at| {
                    #(let #values = at.argument::<#types>(#names)?;)*
                    at_once(this.#name(at.context(), #(#values),*))
                },
            }
        }));
    }
    // `#[Object]` gives every method a context, whether or not it looks at one.
    Ok(method.sig.asyncness.is_none().then(|| {
        quote! {
            #field => FastField::Value {
                is_plain: <#output as Plain>::is_plain,
                write: |this, at, json| Plain::write(&this.#name(at.context()), at, json),
            }
        }
    }))
}

/// The arguments of a field, by their names in the graph.
fn arguments(method: &ImplItemFn) -> syn::Result<Vec<(String, &Type)>> {
    let inputs = method.sig.inputs.iter().skip(1);
    let arguments = inputs.filter_map(|input| match input {
        FnArg::Typed(typed) if !is_context(&typed.ty) => {
            let name = argument_name(&typed.pat, &typed.attrs);
            Some(name.map(|name| (name, &*typed.ty)))
        }
        _ => None,
    });
    arguments.collect()
}

fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else {
        return false;
    };
    matches!(&*reference.elem, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Context"))
}

/// `T` of `Result<T>` where it is a connection.
fn connection(ty: &Type) -> Option<&Type> {
    let PathArguments::AngleBracketed(within) = &last(ty)?.arguments else {
        return None;
    };
    let Some(GenericArgument::Type(inner)) = within.args.first() else {
        return None;
    };
    let is_connection = last(inner)?.ident.to_string().ends_with("Connection");
    is_connection.then_some(inner)
}

fn last(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

fn argument_name(pattern: &syn::Pat, attributes: &[Attribute]) -> syn::Result<String> {
    let syn::Pat::Ident(ident) = pattern else {
        return Err(syn::Error::new(pattern.span(), "an argument has a name"));
    };
    let plain = |ident: &Ident| ident.to_string().to_lower_camel_case();
    Ok(given_name(attributes)?.unwrap_or_else(|| plain(&ident.ident)))
}

/// The `name` in `#[graphql(…)]`. A default would have to be known here too: there is none in this graph.
fn given_name(attributes: &[Attribute]) -> syn::Result<Option<String>> {
    let mut name = None;
    for attribute in attributes {
        if !attribute.path().is_ident("graphql") || !matches!(attribute.meta, Meta::List(_)) {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            let known = ["name", "desc"].iter().any(|word| meta.path.is_ident(word));
            if !known {
                return Err(meta.error("a plain field takes `name` and `desc` alone"));
            }
            let text: LitStr = meta.value()?.parse()?;
            if meta.path.is_ident("name") {
                name = Some(text.value());
            }
            Ok(())
        })?;
    }
    Ok(name)
}
